use crate::protocol::permify::rest::tests::*;
use crate::protocol::testing::revision;

/// Metadata before the rest of a check.
const REST: &str = r#", "permission" : "v\u0069ew", "n":1e0 }"#;

fn zookie(text: &str) -> Zookie {
    Zookie::new(text, 100).unwrap()
}

fn ask(path: &str, body: &str, open: &[usize], at: &ReadAt, zookie: Option<&Zookie>) -> Option<String> {
    let call = read(path, JSON, body, &base()).unwrap();
    let asked = api().ask(call.with(&Bytes::copy_from_slice(body.as_bytes())), open, at, zookie)?;
    Some(String::from_utf8(asked.to_vec()).unwrap())
}

/// The metadata that is forwarded for a check with this metadata, asked at the token `x` or at head.
fn asked(metadata: &str, token: Option<&str>) -> Option<String> {
    let body = format!(r#"{{ "metadata": {metadata}{REST}"#);
    let asked = match token {
        Some(token) => ask(CHECK, &body, &[0], &ReadAt::Exact(revision(1)), Some(&zookie(token))),
        None => ask(CHECK, &body, &[0], &ReadAt::Head, None),
    }?;
    let rest = asked.strip_prefix(r#"{ "metadata": "#).unwrap();
    Some(rest.strip_suffix(REST).unwrap().to_owned())
}

#[test]
fn a_message_that_already_asks_so_is_forwarded_unmodified() {
    for metadata in [
        r#"{"snap_token":"x"}"#,
        r#"{"depth":20, "snap\u005ftoken" : "\u0078"}"#,
        r#"{"snap_token":"x","schemaVersion":"v1"}"#,
    ] {
        assert_eq!(asked(metadata, Some("x")), None, "{metadata}");
    }
    for metadata in [
        "{}",
        r#"{"depth":20}"#,
        r#"{"snap_token":""}"#,
        r#"{"snap_token":null}"#,
        r#"{"snapToken":""}"#,
        r#"{"snapToken":null}"#,
    ] {
        assert_eq!(asked(metadata, None), None, "{metadata}");
    }
}

#[test]
fn the_token_is_put_into_the_metadata() {
    for (metadata, named) in [
        ("{}", r#"{"snap_token":"x"}"#),
        ("{ }", r#"{"snap_token":"x" }"#),
        (r#"{ "depth":20}"#, r#"{"snap_token":"x", "depth":20}"#),
        (r#"{"snap_token":"y"}"#, r#"{"snap_token":"x"}"#),
        (
            r#"{"depth":20 , "snap_token" : "" }"#,
            r#"{"depth":20 , "snap_token" : "x" }"#,
        ),
        (
            r#"{"snap\u005ftoken":null,"depth":20}"#,
            r#"{"snap\u005ftoken":"x","depth":20}"#,
        ),
    ] {
        assert_eq!(asked(metadata, Some("x")).unwrap(), named, "{metadata}");
    }
}

#[test]
fn rule_01_a_camel_case_token_is_rewritten_in_snake_case() {
    for (metadata, named) in [
        (r#"{"snapToken":"y"}"#, r#"{"snap_token":"x"}"#),
        (r#"{"snapToken":"x"}"#, r#"{"snap_token":"x"}"#),
        (r#"{"snapToken":null}"#, r#"{"snap_token":"x"}"#),
        (
            r#"{"depth":20 , "snap\u0054oken" : "x" ,"a":"\"snapToken\""}"#,
            r#"{"depth":20 , "snap_token" : "x" ,"a":"\"snapToken\""}"#,
        ),
    ] {
        assert_eq!(asked(metadata, Some("x")).unwrap(), named, "{metadata}");
    }
    let as_it_came = ask(
        CHECK,
        &with_metadata(r#"{"snapToken":"x"}"#),
        &[0],
        &ReadAt::Unmodified(revision(1)),
        Some(&zookie("x")),
    );
    assert_eq!(as_it_came.unwrap(), with_metadata(r#"{"snap_token":"x"}"#));
}

#[test]
fn rule_03_head_is_asked_without_a_token() {
    for (metadata, named) in [
        (r#"{"snap_token":"x"}"#, r#"{"snap_token":""}"#),
        (r#"{"snapToken":"x", "depth":20}"#, r#"{"snap_token":"", "depth":20}"#),
        (
            r#"{"depth":20, "snap_token" : "\u0078" }"#,
            r#"{"depth":20, "snap_token" : "" }"#,
        ),
    ] {
        assert_eq!(asked(metadata, None).unwrap(), named, "{metadata}");
        let body = with_metadata(metadata);
        let unasked = ask(CHECK, &body, &[0], &ReadAt::Any, None);
        assert_eq!(unasked.unwrap(), with_metadata(named));
        assert_eq!(check(&with_metadata(named), &base()).unwrap().token, None);
    }
}

#[test]
fn rule_08_an_unknown_floor_never_makes_a_read_older() {
    let at = ReadAt::Unmodified(revision(1));
    let at_head = with_metadata(r#"{"depth":20}"#);
    assert_eq!(ask(CHECK, &at_head, &[0], &at, Some(&zookie("x"))), None);
    let named = ask(
        CHECK,
        &with_metadata(r#"{"snap_token":"y"}"#),
        &[0],
        &at,
        Some(&zookie("x")),
    );
    assert_eq!(named.unwrap(), with_metadata(r#"{"snap_token":"x"}"#));
}

#[test]
fn without_metadata_no_token_is_inserted() {
    for body in [r#"{"permission":"view"}"#, r#"{"permission":"view","metadata":null}"#] {
        for path in [CHECK, EXPAND, LOOKUP] {
            assert_eq!(
                ask(path, body, &[], &ReadAt::AtLeast(revision(1)), Some(&zookie("x"))),
                None
            );
        }
    }
}

#[test]
fn listings_are_asked_at_their_floor() {
    let body = r#"{"metadata":{"depth":20},"entity_type":"document"}"#;
    assert_eq!(
        ask(LOOKUP, body, &[], &ReadAt::AtLeast(revision(1)), Some(&zookie("x"))).unwrap(),
        r#"{"metadata":{"snap_token":"x","depth":20},"entity_type":"document"}"#
    );
}

#[test]
fn writes_are_never_rewritten() {
    for path in [WRITE, SCHEMA] {
        let body = r#"{"metadata":{"snap_token":"x"}}"#;
        assert_eq!(ask(path, body, &[], &ReadAt::Head, None), None, "{path}");
    }
}

#[test]
fn rule_16_only_the_open_items_are_asked() {
    let body = r#"{ "items": [ {"permission":"a"}, {"permission":"b", "n":1e0} ,{ }] ,"metadata" : {"depth":20}}"#;
    let ask = |open: &[usize], at: &ReadAt, zookie: Option<&Zookie>| ask(BULK, body, open, at, zookie);
    assert_eq!(
        ask(&[1, 2], &ReadAt::Head, None).unwrap(),
        r#"{ "items": [{"permission":"b", "n":1e0},{ }] ,"metadata" : {"depth":20}}"#
    );
    assert_eq!(
        ask(&[0], &ReadAt::Exact(revision(1)), Some(&zookie("x"))).unwrap(),
        r#"{ "items": [{"permission":"a"}] ,"metadata" : {"snap_token":"x","depth":20}}"#
    );
    assert_eq!(ask(&[0, 1, 2], &ReadAt::Head, None), None);
}

/// A message in its pieces, with all the space that JSON allows around them.
#[derive(Clone, Debug)]
struct Pieces {
    items: Vec<String>,
    members: Vec<&'static str>,
    /// Which of the members comes after the token, the token's name and its value.
    token: Option<(usize, &'static str, &'static str)>,
    spaces: Vec<String>,
}

const MEMBERS: [&str; 5] = [
    r#""depth":20"#,
    r#""schema_version" : "a,b""#,
    r#""context":{"snap_token":"z"}"#,
    r#""a\"" : ["snapToken"]"#,
    r#""":{}"#,
];

const OPEN: [usize; 2] = [0, 2];

fn pieces() -> impl Strategy<Value = Pieces> {
    let names = ["snap_token", "snapToken", "snap\\u005ftoken", "\\u0073napToken"];
    let values = [r#""""#, "null", r#""x""#, r#""\u0078""#, r#""y""#];
    let token = (
        any::<usize>(),
        prop::sample::select(names.to_vec()),
        prop::sample::select(values.to_vec()),
    );
    let items = prop::collection::vec("\\{(\"a\": ?\\[1 ?,2\\])? ?\\}", 3);
    let members = prop::sample::subsequence(MEMBERS.to_vec(), 0..=MEMBERS.len());
    let spaces = prop::collection::vec("[ \n\t]{0,2}", 16);
    (items, members, prop::option::of(token), spaces).prop_map(|(items, members, token, spaces)| Pieces {
        token: token.map(|(at, name, value)| (at % (members.len() + 1), name, value)),
        items,
        members,
        spaces,
    })
}

impl Pieces {
    /// The text, with this name and value instead of the token's.
    fn with(&self, token: Option<(&str, &str)>, list: &str) -> String {
        let space = |nth: usize| &*self.spaces[nth];
        let mut members: Vec<_> = self
            .members
            .iter()
            .enumerate()
            .map(|(nth, member)| format!("{}{member}{}", space(nth), space(nth + 1)))
            .collect();
        match (self.token, token) {
            (Some((at, ..)), Some((name, value))) => {
                let token = format!(r#"{}"{name}"{}:{}{value}{}"#, space(6), space(7), space(8), space(9));
                members.insert(at, token);
            }
            (None, Some((name, value))) => members.insert(0, format!(r#""{name}":{value}"#)),
            (_, None) => {}
        }
        // A token that is added to empty metadata comes before its whitespace.
        let within = if self.members.is_empty() && self.token.is_none() {
            space(10)
        } else {
            ""
        };
        format!(
            r#"{}{{"items":{}{list}{},"metadata":{}{{{}{within}}}{}}}{}"#,
            space(11),
            space(12),
            space(13),
            space(14),
            members.join(","),
            space(15),
            space(0),
        )
    }

    fn text(&self) -> String {
        let token = self.token.map(|(_, name, value)| (name, value));
        self.with(token, &format!("[{}]", self.items.join(" , ")))
    }

    /// The `ReadAt` of this token.
    fn named(&self, token: Option<&str>, open: &[usize]) -> String {
        let list = if open.len() == self.items.len() {
            format!("[{}]", self.items.join(" , "))
        } else {
            let open: Vec<_> = open.iter().map(|&index| &*self.items[index]).collect();
            format!("[{}]", open.join(","))
        };
        let named = token.map(|token| format!("\"{token}\""));
        let token = match (self.token, &named) {
            (None, named) => named.as_deref().map(|named| ("snap_token", named)),
            (Some((_, name, value)), named) => {
                let stated = Some(value.replace("\\u0078", "x")).filter(|value| value != "\"\"" && value != "null");
                let is_snake = !name.ends_with("Token");
                Some(match named {
                    _ if stated == *named && (is_snake || named.is_none()) => (name, value),
                    named => (
                        if is_snake { name } else { "snap_token" },
                        named.as_deref().unwrap_or("\"\""),
                    ),
                })
            }
        };
        self.with(token, &list)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn rewriting_changes_only_the_token_and_the_items(
        pieces in pieces(), way in 0usize..5, partly: bool,
    ) {
        let x = Some(zookie("x"));
        let (at, zookie) = [
            (ReadAt::Any, None),
            (ReadAt::Head, None),
            (ReadAt::AtLeast(revision(1)), x.clone()),
            (ReadAt::Exact(revision(1)), x.clone()),
            (ReadAt::Unmodified(revision(1)), x),
        ][way].clone();
        let open: &[usize] = if partly { &OPEN } else { &[0, 1, 2] };
        let (body, base) = (pieces.text(), base());
        let call = bulk(&body, &base).unwrap();
        let token = match at {
            ReadAt::Unmodified(_) if call.token.is_none() => None,
            _ => zookie.as_ref().map(Zookie::as_str),
        };
        let asked = ask(BULK, &body, open, &at, zookie.as_ref());
        prop_assert!(asked.as_ref() != Some(&body), "nothing had to change");
        let asked = asked.unwrap_or_else(|| body.clone());
        prop_assert_eq!(&asked, &pieces.named(token, open));

        let asked_call = bulk(&asked, &base).unwrap();
        prop_assert_eq!(asked_call.token.as_deref(), token.map(str::as_bytes));
        prop_assert_eq!(asked_call.unpinned, call.unpinned);
        let (Kind::Bulk(all), Kind::Bulk(some)) = (&call.kind, &asked_call.kind) else { panic!("no bulks") };
        prop_assert_eq!(open.iter().map(|&index| all[index]).collect::<Vec<_>>(), some.clone());
    }
}
