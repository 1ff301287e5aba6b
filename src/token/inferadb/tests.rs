use std::collections::{BTreeMap, HashMap};
use std::error::Error;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use proptest::prelude::*;

use crate::byte_size::ByteSize;
use crate::token::error::TokenErrorKind;
use crate::token::inferadb::*;

/// The two tokens that InferaDB's documents print.
const THREE_NODES: &str = "eyJub2RlX2lkIjoibm9kZS11cy13ZXN0LTEiLCJyZXZpc2lvbiI6NDIsInZlY3Rvcl9jbG9jayI6eyJub2RlLXVzLXdlc3QtMSI6NDIsIm5vZGUtdXMtZWFzdC0xIjozOCwibm9kZS1ldS13ZXN0LTEiOjM1fX0=";
const ONE_NODE: &str = "eyJub2RlX2lkIjoibm9kZTEiLCJyZXZpc2lvbiI6NDIsInZlY3Rvcl9jbG9jayI6eyJub2RlMSI6NDJ9fQ==";

fn token(node_id: &str, clock: &[(&str, u64)]) -> RevisionToken {
    let revision = clock.iter().find(|(node, _)| *node == node_id).map_or(0, |(_, n)| *n);
    RevisionToken::with_vector_clock(node_id, revision, clock.iter().copied())
}

fn malformed(error: &TokenError) -> bool {
    matches!(error.kind(), TokenErrorKind::Malformed(_))
}

fn decode_json(json: &str) -> Result<RevisionToken, TokenError> {
    RevisionToken::decode(&STANDARD.encode(json))
}

#[test]
fn a_new_token_has_a_clock_of_its_own_node() {
    let it = RevisionToken::new("node1", 5);
    assert_eq!((it.node_id.as_str(), it.revision), ("node1", 5));
    assert_eq!(it.vector_clock, BTreeMap::from([("node1".to_owned(), 5)]));
    assert_eq!(it.validate(), Ok(()));
}

#[test]
fn reads_the_tokens_of_the_documents() {
    let one = RevisionToken::decode(ONE_NODE).unwrap();
    assert_eq!(one, RevisionToken::new("node1", 42));
    assert_eq!(one.encode(), ONE_NODE);
    assert_eq!(
        RevisionToken::decode(THREE_NODES).unwrap(),
        token(
            "node-us-west-1",
            &[("node-us-west-1", 42), ("node-us-east-1", 38), ("node-eu-west-1", 35)]
        )
    );
}

#[test]
fn a_hash_map_is_accepted_as_the_clock() {
    let clock: HashMap<String, u64> = HashMap::from([("node1".to_string(), 10), ("node2".to_string(), 5)]);
    let it = RevisionToken::with_vector_clock("node1", 10, clock);
    assert_eq!(it, token("node1", &[("node1", 10), ("node2", 5)]));
    assert_eq!(RevisionToken::decode(&it.encode()).unwrap(), it);
}

#[test]
fn orders_one_node_by_its_revision() {
    let (older, newer) = (RevisionToken::new("node1", 1), RevisionToken::new("node1", 2));
    assert!(older.is_before(&newer) && newer.is_after(&older));
    assert!(!older.is_after(&newer) && !newer.is_before(&older) && !older.is_concurrent_with(&newer));
}

#[test]
fn orders_nodes_by_their_clocks() {
    let before = token("node1", &[("node1", 1), ("node2", 1)]);
    let after = token("node1", &[("node1", 2), ("node2", 1)]);
    let aside = token("node2", &[("node1", 1), ("node2", 2)]);
    assert!(before.is_before(&after) && after.is_after(&before));
    assert!(after.is_concurrent_with(&aside) && aside.is_concurrent_with(&after));
    assert!(!after.is_after(&aside) && !after.is_before(&aside));
}

#[test]
fn counts_a_missing_node_as_zero_on_either_side() {
    let one = RevisionToken::new("node1", 1);
    let more = token("node1", &[("node1", 1), ("node2", 1)]);
    assert!(more.is_after(&one) && one.is_before(&more));
    let zero = token("node1", &[("node1", 1), ("node2", 0)]);
    assert!(!zero.is_after(&one) && !zero.is_before(&one) && !zero.is_concurrent_with(&one));
}

#[test]
fn an_equal_token_is_not_before_after_or_concurrent() {
    let it = token("node1", &[("node1", 2), ("node2", 1)]);
    let seen_from_elsewhere = token("node2", &[("node1", 2), ("node2", 1)]);
    for other in [&it, &seen_from_elsewhere] {
        assert!(!it.is_after(other) && !it.is_before(other) && !it.is_concurrent_with(other));
    }
}

#[test]
fn bare_numbers_of_different_nodes_do_not_compare() {
    let (low, high) = (RevisionToken::new("node1", 1), RevisionToken::new("node2", 1000));
    assert!(low.is_concurrent_with(&high) && !high.is_after(&low));
}

#[test]
fn merges_to_the_greater_entries() {
    let merged = token("node1", &[("node1", 2), ("node2", 1)]).merge(&token("node2", &[("node1", 1), ("node2", 3)]));
    assert_eq!(merged, token("node1", &[("node1", 2), ("node2", 3)]));
}

#[test]
fn merges_tokens_of_different_nodes_into_a_valid_one_after_both() {
    let (one, two) = (RevisionToken::new("node1", 10), RevisionToken::new("node2", 15));
    for merged in [one.merge(&two), two.merge(&one)] {
        assert_eq!(merged, token("node1", &[("node1", 10), ("node2", 15)]));
        assert!(merged.is_after(&one) && merged.is_after(&two));
        assert_eq!(merged.validate(), Ok(()));
    }
}

#[test]
fn errors_name_the_rule_that_a_token_breaks() {
    let clock = [("node1", 1)];
    for (bad, rule) in [
        (RevisionToken::new("", 1), InvalidToken::EmptyNodeId),
        (RevisionToken::new("", 0), InvalidToken::EmptyNodeId),
        (RevisionToken::new("node1", 0), InvalidToken::ZeroRevision),
        (
            RevisionToken::with_vector_clock("node1", 1, [("", 0); 0]),
            InvalidToken::EmptyClock,
        ),
        (
            RevisionToken::with_vector_clock("node2", 1, clock),
            InvalidToken::MissingEntry,
        ),
        (
            RevisionToken::with_vector_clock("node1", 2, clock),
            InvalidToken::EntryMismatch,
        ),
    ] {
        assert_eq!(bad.validate(), Err(rule));
        let error = RevisionToken::decode(&bad.encode()).unwrap_err();
        assert!(malformed(&error));
        assert_eq!(error.source().unwrap().downcast_ref(), Some(&rule));
    }
}

#[test]
fn reads_both_alphabets_with_or_without_padding() {
    let it = token("n\u{f8}de?>~", &[("n\u{f8}de?>~", 7)]);
    let json = serde_json::to_vec(&it).unwrap();
    let spellings = [
        STANDARD.encode(&json),
        STANDARD_NO_PAD.encode(&json),
        URL_SAFE.encode(&json),
        URL_SAFE_NO_PAD.encode(&json),
    ];
    assert!(spellings[0].contains(['+', '/']) && spellings[2].contains(['-', '_']));
    assert!(spellings[0].ends_with('=') && spellings[2].ends_with('='));
    for text in spellings {
        assert_eq!(RevisionToken::decode(&text).unwrap(), it);
    }
}

#[test]
fn the_order_of_fields_and_nodes_is_free() {
    let json = r#" {"vector_clock": {"b": 1, "a": 2}, "revision": 2, "node_id": "a"} "#;
    assert_eq!(decode_json(json).unwrap(), token("a", &[("a", 2), ("b", 1)]));
}

#[test]
fn rejects_everything_except_a_token() {
    for json in [
        "",
        "null",
        "42",
        "[]",
        "{}",
        r#"["a",1,{"a":1}]"#,
        r#"{"node_id":"a","revision":1}"#,
        r#"{"node_id":"a","vector_clock":{"a":1}}"#,
        r#"{"revision":1,"vector_clock":{"a":1}}"#,
        r#"{"node_id":"a","revision":1,"vector_clock":{"a":1},"tenant":"x"}"#,
        r#"{"node_id":"a","node_id":"a","revision":1,"vector_clock":{"a":1}}"#,
        r#"{"node_id":"a","revision":1,"revision":1,"vector_clock":{"a":1}}"#,
        r#"{"node_id":"a","revision":1,"vector_clock":{"a":1},"vector_clock":{"a":1}}"#,
        r#"{"node_id":"a","revision":1,"vector_clock":{"a":1,"a":1}}"#,
        r#"{"node_id":"a","revision":1,"vector_clock":{"a":1,"\u0061":1}}"#,
        r#"{"node_id":"a","revision":1,"vector_clock":[["a",1]]}"#,
        r#"{"node_id":"a","revision":"1","vector_clock":{"a":1}}"#,
        r#"{"node_id":"a","revision":1.0,"vector_clock":{"a":1}}"#,
        r#"{"node_id":"a","revision":-1,"vector_clock":{"a":1}}"#,
        r#"{"node_id":"a","revision":1,"vector_clock":{"a":18446744073709551616}}"#,
        r#"{"node_id":"a","revision":1e400,"vector_clock":{"a":1}}"#,
        r#"{"node_id":null,"revision":1,"vector_clock":{"a":1}}"#,
        r#"{"node_id":"a","revision":1,"vector_clock":{"a":1}}x"#,
        r#"{"node_id":"a","revision":1,"vector_clock":{"a":1"#,
    ] {
        assert!(malformed(&decode_json(json).unwrap_err()), "{json}");
    }
    for text in [
        "",
        "=",
        "abc",
        "!",
        " ",
        &format!(" {ONE_NODE}"),
        &format!("{ONE_NODE}\n"),
    ] {
        assert!(malformed(&RevisionToken::decode(text).unwrap_err()), "{text}");
    }
    let not_utf8 = STANDARD.encode(b"{\"node_id\":\"\xff\",\"revision\":1,\"vector_clock\":{\"\xff\":1}}");
    assert!(malformed(&RevisionToken::decode(&not_utf8).unwrap_err()));
    assert!(malformed(&decode_json(&"[".repeat(3000)).unwrap_err()));
}

#[test]
fn errors_do_not_show_the_token() {
    for json in [
        r#"{"secret":1}"#,
        r#"{"node_id":"a","revision":"secret","vector_clock":{}}"#,
        r#"{"node_id":"secret","revision":0,"vector_clock":{}}"#,
    ] {
        let error = decode_json(json).unwrap_err();
        let source = error.source().unwrap();
        assert!(!format!("{error} {error:?} {source}").contains("secret"));
    }
}

#[test]
fn length_and_nodes_are_limited() {
    let many = |count: u64| RevisionToken::with_vector_clock("n1", 1, (1..=count).map(|i| (format!("n{i}"), i)));
    assert!(RevisionToken::decode(&many(100).encode()).is_ok());
    let error = RevisionToken::decode(&many(101).encode()).unwrap_err();
    assert_eq!(error.kind(), &TokenErrorKind::TooManyEntries { max: 100 });
    let error = RevisionToken::decode(&"A".repeat(4097)).unwrap_err();
    assert_eq!(error.kind(), &TokenErrorKind::TooLong { len: 4097, max: 4096 });

    let format = InferaDb::cluster("c").max_nodes(2);
    let two = format.decode(&many(2).encode()).unwrap();
    assert!(format.encode(&two).is_some());
    assert!(format.decode(&many(3).encode()).is_err());
    let joined = two
        .join(&format.decode(&RevisionToken::new("n3", 1).encode()).unwrap())
        .unwrap();
    assert!(format.encode(&joined).is_none());
    assert!(
        InferaDb::cluster("c")
            .max_len(ByteSize::bytes(40))
            .encode(&two)
            .is_none()
    );
    let short = format.max_len(ByteSize::bytes(9)).decode(ONE_NODE).unwrap_err();
    assert_eq!(
        short.kind(),
        &TokenErrorKind::TooLong {
            len: ONE_NODE.len(),
            max: 9
        }
    );
}

#[test]
fn without_a_cluster_each_node_is_its_own_store() {
    let format = InferaDb::new("a");
    let read = |format: &InferaDb, token: &RevisionToken| format.decode(&token.encode()).unwrap();
    let one = read(&format, &token("node1", &[("node1", 1)]));
    let both = token("node2", &[("node1", 2), ("node2", 2)]);
    assert_eq!(one.partial_cmp(&read(&format, &both)), None);
    assert!(one < read(&format, &RevisionToken::new("node1", 2)));
    assert_eq!(one.store(), &StoreId::new(["inferadb", "a", "node1"]));
    assert_eq!(format.encode(&read(&format, &both)).unwrap().as_str(), both.encode());

    let cluster = InferaDb::cluster("a");
    let one = read(&cluster, &RevisionToken::new("node1", 1));
    assert!(one < read(&cluster, &both));
    assert_eq!(one.store(), &StoreId::new(["inferadb", "a"]));
}

#[test]
fn deployment_names_separate_tenants() {
    for (a, b) in [
        (InferaDb::new("a"), InferaDb::new("b")),
        (InferaDb::cluster("a"), InferaDb::cluster("b")),
        (InferaDb::new("a"), InferaDb::cluster("a")),
    ] {
        let (one, other) = (a.decode(ONE_NODE).unwrap(), b.decode(ONE_NODE).unwrap());
        assert_ne!(one, other);
        assert_eq!(one.partial_cmp(&other), None);
        assert!(a.encode(&other).is_none() && b.encode(&one).is_none());
    }
}

#[test]
fn a_cluster_names_the_node_with_the_greatest_entry() {
    let format = InferaDb::cluster("a");
    let name = |clock: &[(&str, u64)]| {
        let clock: VectorClock = clock.iter().copied().collect();
        let zookie = format.encode(&Revision::new(StoreId::new(["inferadb", "a"]), clock))?;
        Some(RevisionToken::decode(zookie.as_str()).unwrap().node_id)
    };
    assert_eq!(name(&[("a", 1), ("b", 3), ("c", 2)]).unwrap(), "b");
    assert_eq!(name(&[("c", 3), ("b", 3), ("a", 2)]).unwrap(), "b");
    assert_eq!(name(&[]), None);
    let wrong_kind = Revision::new(StoreId::new(["inferadb", "a"]), crate::revision::Counter(1));
    assert!(format.encode(&wrong_kind).is_none());
}

const NODES: [&str; 4] = ["a", "b", "c", "\u{e9}"];

/// Any valid token over a few nodes.
fn valid() -> impl Strategy<Value = RevisionToken> {
    let clock = proptest::collection::btree_map(proptest::sample::select(&NODES[..]), 0_u64..4, 0..4);
    (proptest::sample::select(&NODES[..]), 1_u64..4, clock).prop_map(|(node, revision, mut clock)| {
        clock.insert(node, revision);
        RevisionToken::with_vector_clock(node, revision, clock)
    })
}

fn formats() -> [InferaDb; 2] {
    [InferaDb::new("x"), InferaDb::cluster("x")]
}

proptest! {
    #[test]
    fn merging_is_a_least_upper_bound_of_tokens(a in valid(), b in valid(), c in valid()) {
        let merged = a.merge(&b);
        prop_assert_eq!(merged.validate(), Ok(()));
        prop_assert_eq!(&merged, &b.merge(&a));
        prop_assert_eq!(merged.merge(&c), a.merge(&b.merge(&c)));
        prop_assert_eq!(&a.merge(&a), &a);
        let reaches = |upper: &RevisionToken, lower: &RevisionToken| {
            !upper.is_before(lower) && !upper.is_concurrent_with(lower)
        };
        prop_assert!(reaches(&merged, &a) && reaches(&merged, &b));
        prop_assert!(!(reaches(&c, &a) && reaches(&c, &b)) || reaches(&c, &merged));
    }

    #[test]
    fn exactly_one_relation_holds(a in valid(), b in valid()) {
        let same = NODES.iter().all(|node| a.vector_clock.get(*node).copied().unwrap_or(0)
            == b.vector_clock.get(*node).copied().unwrap_or(0));
        let relations = [a.is_after(&b), a.is_before(&b), a.is_concurrent_with(&b), same];
        prop_assert_eq!(relations.into_iter().filter(|holds| *holds).count(), 1);
        prop_assert_eq!(a.is_after(&b), b.is_before(&a));
    }

    #[test]
    fn tokens_read_back_from_text(token in valid()) {
        prop_assert_eq!(RevisionToken::decode(&token.encode()).unwrap(), token);
    }

    #[test]
    fn revisions_read_back_from_text(token in valid()) {
        for format in formats() {
            let revision = format.decode(&token.encode()).unwrap();
            let zookie = format.encode(&revision).unwrap();
            prop_assert_eq!(format.decode(zookie.as_str()).unwrap(), revision);
        }
    }

    #[test]
    fn revisions_order_as_tokens_do(a in valid(), b in valid()) {
        let format = InferaDb::cluster("x");
        let read = |token: &RevisionToken| format.decode(&token.encode()).unwrap();
        prop_assert_eq!(read(&a) > read(&b), a.is_after(&b));
        prop_assert_eq!(read(&a).partial_cmp(&read(&b)).is_none(), a.is_concurrent_with(&b));
        prop_assert_eq!(read(&a).join(&read(&b)).unwrap(), read(&a.merge(&b)));
    }

    #[test]
    fn bytes_never_panic(bytes: Vec<u8>, text: String) {
        let _ = RevisionToken::decode(&STANDARD.encode(bytes));
        let _ = RevisionToken::decode(&text);
    }

    #[test]
    fn mutations_never_panic_or_read_as_invalid_tokens(
        token in valid(),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
        outside: bool,
    ) {
        let mut bytes = if outside { token.encode().into_bytes() } else { serde_json::to_vec(&token).unwrap() };
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        let text = if outside { String::from_utf8_lossy(&bytes).into_owned() } else { STANDARD.encode(bytes) };
        if let Ok(read) = RevisionToken::decode(&text) {
            prop_assert_eq!(read.validate(), Ok(()));
        }
    }
}

/// `count` nodes of one group, in regions, with numbers of realistic size.
fn group(count: usize) -> RevisionToken {
    let regions = ["ap-south-1", "eu-central-1", "eu-west-1", "us-east-1", "us-west-1"];
    let region = |n: usize| match n / regions.len() {
        0 => regions[n].to_owned(),
        more => format!("{}{more}", regions[n % regions.len()]),
    };
    of_ids((0..count).map(|n| format!("{}@8f3a2c41", region(n))))
}

fn of_ids(ids: impl IntoIterator<Item = String>) -> RevisionToken {
    let entries = ids.into_iter().zip(0..).map(|(id, n)| (id, 100_003 + n * 90_001));
    let clock: BTreeMap<String, u64> = entries.collect();
    let (node_id, revision) = clock.first_key_value().map(|(id, n)| (id.clone(), *n)).unwrap();
    RevisionToken::with_vector_clock(node_id, revision, clock)
}

fn ratio(token: &RevisionToken) -> f64 {
    assert_eq!(&RevisionToken::decode(&token.encode_compact()).unwrap(), token);
    token.encode_compact().len() as f64 / token.encode().len() as f64
}

#[test]
fn a_compact_token_has_less_than_half_the_length() {
    type Shape = (&'static str, fn(usize) -> RevisionToken);
    let shapes: [Shape; 4] = [
        ("us-west-1@8f3a2c41", group),
        ("node-us-west-1", |count| {
            of_ids((0..count).map(|n| format!("node-us-west-{n}")))
        }),
        ("n1", |count| of_ids((0..count).map(|n| format!("n{n}")))),
        ("uuids", |count| {
            let uuid = |n: u64| {
                format!(
                    "{:032x}",
                    u128::from(n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
                )
            };
            of_ids((0..count as u64).map(uuid))
        }),
    ];
    for (shape, make) in shapes {
        for count in [1, 3, 10, 30, 100] {
            let token = make(count);
            let (json, compact) = (token.encode().len(), token.encode_compact().len());
            println!("{shape}, {count} nodes: {json} bytes as JSON, {compact} compact");
        }
    }
    assert!(ratio(&group(10)) <= 0.5 && ratio(&group(100)) <= 0.5);
    assert!(ratio(&of_ids((0..10).map(|n| format!("node-us-west-{n}")))) <= 0.5);
}

#[test]
fn compact_tokens_are_read_within_the_same_limits() {
    let many = |count: u64| RevisionToken::with_vector_clock("n1", 1, (1..=count).map(|i| (format!("n{i}"), i)));
    assert!(RevisionToken::decode(&many(100).encode_compact()).is_ok());
    for too_many in [101, 1000] {
        let wide = InferaDb::cluster("c").max_len(ByteSize::kibi(64));
        let error = wide.decode(&many(too_many).encode_compact()).unwrap_err();
        assert_eq!(error.kind(), &TokenErrorKind::TooManyEntries { max: 100 });
        let error = wide.decode(&many(too_many).encode()).unwrap_err();
        assert_eq!(error.kind(), &TokenErrorKind::TooManyEntries { max: 100 });
    }
    let text = many(10).encode_compact();
    let short = InferaDb::cluster("c")
        .max_len(ByteSize::bytes(9))
        .decode(&text)
        .unwrap_err();
    let len = text.len();
    assert_eq!(short.kind(), &TokenErrorKind::TooLong { len, max: 9 });
}

#[test]
fn ids_that_share_much_do_not_grow_without_limit() {
    let long = "x".repeat(1000);
    let token = of_ids((0..60).map(|n| format!("{long}{n:02}")));
    let text = token.encode_compact();
    assert!(text.len() < 2000);
    let error = RevisionToken::decode(&text).unwrap_err();
    assert!(matches!(error.kind(), TokenErrorKind::TooLong { max: 4096, .. }));
    let wide = InferaDb::cluster("c").max_len(ByteSize::kibi(64));
    assert!(wide.decode(&text).is_ok());
}

#[test]
fn a_form_is_not_read_as_another_one() {
    let token = group(3);
    let (json, compact) = (token.encode(), token.encode_compact());
    assert!(json.starts_with("eyJ") && compact.starts_with("iv1."));
    assert!(STANDARD.decode(&compact).is_err() && URL_SAFE.decode(&compact).is_err());
    assert!(crate::token::Zookie::new(&compact, 4096).is_ok());
    assert_eq!(crate::token::readers(&compact), [("InferaDB", "inferadb")]);
    for broken in ["iv1.", "iv1.AA", "iv1.____________", &compact[..compact.len() - 2]] {
        assert!(malformed(&RevisionToken::decode(broken).unwrap_err()), "{broken}");
    }
    assert!(RevisionToken::decode(&format!("iv1.{json}")).is_err());
}

#[test]
fn a_setting_says_which_form_is_written() {
    let format = InferaDb::cluster("c");
    let revision = format.decode(&group(3).encode()).unwrap();
    assert!(format.encode(&revision).unwrap().as_str().starts_with("eyJ"));
    let compact = format.clone().compact(true);
    let text = compact.encode(&revision).unwrap();
    assert!(text.as_str().starts_with("iv1."));
    assert_eq!(
        (
            format.decode(text.as_str()).unwrap(),
            compact.decode(text.as_str()).unwrap()
        ),
        (revision.clone(), revision)
    );
}

#[test]
fn a_lag_is_that_of_each_node() {
    let current = token("a", &[("a", 5), ("b", u64::MAX), ("c", 1)]);
    let behind = token("b", &[("b", 1), ("c", 7), ("d", 9)]);
    assert_eq!(
        current.lag(&behind),
        BTreeMap::from([("a", 5), ("b", u64::MAX - 1), ("c", 0)])
    );
    assert!(current.lag(&current).values().all(|lag| *lag == 0));
}

/// Any valid token: ids of any characters, and numbers up to the greatest.
fn any_valid() -> impl Strategy<Value = RevisionToken> {
    let count = prop_oneof![any::<u64>(), 0_u64..3, (u64::MAX - 2)..=u64::MAX];
    let id = prop_oneof!["\\PC{1,12}", "[ab]{1,4}@x", any::<String>()];
    let clock = proptest::collection::btree_map(id, count, 1..8);
    (clock, any::<proptest::sample::Index>()).prop_filter_map("a node has no id", |(mut clock, own)| {
        clock.remove("");
        let nodes: Vec<_> = clock.keys().cloned().collect();
        let own = nodes.get(own.index(nodes.len().max(1)))?.clone();
        let revision = clock.get_mut(&own)?;
        *revision = (*revision).max(1);
        let revision = *revision;
        Some(RevisionToken::with_vector_clock(own, revision, clock))
    })
}

proptest! {
    #[test]
    fn compact_tokens_read_back(token in any_valid()) {
        prop_assert_eq!(&RevisionToken::decode(&token.encode_compact()).unwrap(), &token);
        prop_assert_eq!(RevisionToken::decode(&token.encode()).unwrap(), token);
    }

    #[test]
    fn the_laws_hold_for_any_ids_and_numbers(a in any_valid(), b in any_valid(), c in any_valid()) {
        let merged = a.merge(&b);
        prop_assert_eq!(merged.validate(), Ok(()));
        prop_assert_eq!(&merged, &b.merge(&a));
        prop_assert_eq!(merged.merge(&c), a.merge(&b.merge(&c)));
        prop_assert!(!merged.is_before(&a) && !merged.is_concurrent_with(&b));
        prop_assert_eq!(a.is_after(&b), b.is_before(&a));
        prop_assert!(a.lag(&merged).values().all(|lag| *lag == 0));
        prop_assert_eq!(merged.lag(&a).values().any(|lag| *lag > 0), merged.is_after(&a));
    }

    #[test]
    fn compact_bytes_never_panic_or_read_as_invalid_tokens(
        token in any_valid(),
        bytes: Vec<u8>,
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut changed = URL_SAFE_NO_PAD.decode(&token.encode_compact()[4..]).unwrap();
        for (index, byte) in changes {
            let at = index.index(changed.len());
            changed[at] = byte;
        }
        for bytes in [bytes, changed] {
            if let Ok(read) = RevisionToken::decode(&format!("iv1.{}", URL_SAFE_NO_PAD.encode(bytes))) {
                prop_assert_eq!(read.validate(), Ok(()));
                prop_assert_eq!(RevisionToken::decode(&read.encode_compact()).unwrap(), read);
            }
        }
    }
}
