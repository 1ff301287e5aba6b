use proptest::prelude::*;

use crate::schema::Schema;
use crate::schema::error::SchemaErrorKind;
use crate::schema::tree::{MemberKind, Term, TermKind};

fn error(text: &str) -> (usize, usize, SchemaErrorKind) {
    let error = Schema::read_embedded(text).unwrap_err();
    (error.line(), error.column(), error.kind().clone())
}

/// The expression of `type#name` with all its parentheses.
fn grouped(schema: &str, name: &str) -> String {
    let schema = Schema::read_embedded(schema).unwrap();
    let MemberKind::Permission(expression) = schema.member("t", name).unwrap() else {
        panic!("no permission");
    };
    fn show(terms: &[Term], term: u32) -> String {
        let join = |operands: &[u32], operator: &str| {
            let operands: Vec<_> = operands.iter().map(|&term| show(terms, term)).collect();
            format!("({})", operands.join(operator))
        };
        match &terms[term as usize].kind {
            TermKind::Nil => "nil".into(),
            TermKind::Oneself => "self".into(),
            TermKind::Reference(name) => name.to_string(),
            TermKind::Arrow { relation, target, .. } => format!("{relation}->{target}"),
            TermKind::Union(operands) => join(operands, "+"),
            TermKind::Intersection(operands) => join(operands, "&"),
            TermKind::Exclusion(left, right) => join(&[*left, *right], "-"),
        }
    }
    show(&expression.terms, expression.root)
}

fn group(expression: &str) -> String {
    let relations = "relation a: t relation b: t relation c: t relation d: t";
    grouped(
        &format!("definition t {{ {relations} permission p = {expression} }}"),
        "p",
    )
}

#[test]
fn operators_bind_as_in_spicedb() {
    assert_eq!(group("a + b & c"), "((a+b)&c)");
    assert_eq!(group("a & b + c"), "(a&(b+c))");
    assert_eq!(group("a - b & c"), "(a-(b&c))");
    assert_eq!(group("a & b - c"), "((a&b)-c)");
    assert_eq!(group("a - b + c"), "(a-(b+c))");
    assert_eq!(group("a + b - c"), "((a+b)-c)");
    assert_eq!(group("a - b - c"), "((a-b)-c)");
    assert_eq!(group("a + b + c & d"), "((a+b+c)&d)");
    assert_eq!(group("a + (b & c)"), "(a+(b&c))");
    assert_eq!(group("a + b & c - d->a"), "(((a+b)&c)-d->a)");
    assert_eq!(group("(nil + a.any(b))"), "(nil+a->b)");
}

#[test]
fn reads_what_spicedb_reads() {
    let schema = Schema::read_embedded(
        "/** everyone */ definition acme/prod/user {} // none
         definition team {
            relation member: acme/prod/user | acme/prod/user:* | team#member | team#...;
            relation parent: team
            permission all_members = member
                + parent->all_members
         };",
    )
    .unwrap();
    assert!(schema.definitions().contains_key("acme/prod/user"));
    assert!(matches!(schema.member("team", "member"), Some(MemberKind::Relation(_))));
    assert!(matches!(
        schema.member("team", "all_members"),
        Some(MemberKind::Permission(_))
    ));
    Schema::read_embedded("").unwrap();
}

#[test]
fn errors_say_where_and_what() {
    use SchemaErrorKind as Kind;
    let expected = |expected, found: &str| Kind::Expected {
        expected,
        found: found.into(),
    };
    assert_eq!(
        error("definition user {"),
        (
            1,
            18,
            expected("`relation`, `permission` or `}`", "the end of the schema")
        )
    );
    assert_eq!(
        error("definition user {}\n  }"),
        (2, 3, expected("`definition`", "`}`"))
    );
    assert_eq!(
        error("definition t {\n  relation a t\n}"),
        (2, 14, expected("`:` and the relation's subject types", "`t`"))
    );
    assert_eq!(
        error("definition t { relation a: t permission p = a + }"),
        (1, 49, expected("a relation, a permission, `nil` or `(`", "`}`"))
    );
    assert_eq!(
        error("definition é {}").2,
        expected("a name or one of the schema's symbols", "'é'")
    );
    assert_eq!(error("/* é */ /* open"), (1, 9, Kind::UnclosedComment));
    assert!(matches!(error("definition User {}"), (1, 12, Kind::BadName { .. })));
    assert!(matches!(error("definition relation {}"), (1, 12, Kind::BadName { .. })));
    let name = "a".into();
    assert_eq!(
        error("definition t { relation a: t permission a = nil }"),
        (1, 41, Kind::Duplicate { name })
    );
    assert!(matches!(
        error("definition t {} definition t {}"),
        (1, 28, Kind::Duplicate { .. })
    ));
    assert!(matches!(
        error("definition t { relation a: t | u }"),
        (1, 32, Kind::UnknownType { .. })
    ));
    assert!(matches!(
        error("definition t { relation a: t#b }"),
        (1, 28, Kind::UnknownMember { .. })
    ));
    assert!(matches!(
        error("definition t { permission p = b }"),
        (1, 31, Kind::UnknownMember { .. })
    ));
    let arrow = |relation: &str, arrow: &str| {
        error(&format!(
            "definition u {{}} definition t {{ {relation} permission q = nil permission p = {arrow} }}"
        ))
        .2
    };
    assert!(matches!(arrow("", "q->p"), Kind::ArrowFromPermission { .. }));
    assert!(matches!(arrow("", "x->p"), Kind::UnknownMember { .. }));
    assert!(matches!(
        arrow("relation a: t | u:*", "a->q"),
        Kind::ArrowFromWildcard { .. }
    ));
    assert!(matches!(arrow("relation a: u", "a->q"), Kind::ArrowToNothing { .. }));
}

#[test]
fn unsupported_features_are_named() {
    for text in [
        "caveat c(x int) { x > 1 }",
        "use expiration",
        "definition t { relation a: t with c }",
        "definition t { relation a: t permission p = a.all(a) }",
        "definition t { relation a: t permission p = a->a->a }",
    ] {
        assert!(matches!(error(text).2, SchemaErrorKind::Unsupported { .. }), "{text}");
    }
}

#[test]
fn a_permission_computed_from_itself_is_an_error() {
    let cycle = |text: &str| match error(text).2 {
        SchemaErrorKind::Cycle { name } => name,
        other => panic!("{other}"),
    };
    assert_eq!(cycle("definition t { permission a = b permission b = a }"), "a");
    assert_eq!(cycle("definition t { permission a = a }"), "a");
    // The error names a permission on the cycle, not one that leads to it.
    assert!(["b", "c"].contains(&&*cycle(
        "definition t { permission a = b permission b = c permission c = nil - b }"
    )));
    // An arrow leads to another object, so the schema has no cycle.
    Schema::read_embedded("definition t { relation up: t permission a = up->a }").unwrap();
}

#[test]
fn hostile_schemas_are_rejected_without_harm() {
    let deep = format!(
        "definition t {{ permission p = {}nil{} }}",
        "(".repeat(100_000),
        ")".repeat(100_000)
    );
    assert!(matches!(error(&deep).2, SchemaErrorKind::TooDeep { .. }));
    let long = " ".repeat((1 << 20) + 1);
    assert!(matches!(error(&long).2, SchemaErrorKind::TooLong { .. }));
    let wide = format!(
        "definition t {{ relation a: t permission p = a{} }}",
        " - a".repeat(200_000)
    );
    Schema::read_embedded(&wide).unwrap();
    let chain: String = (0..20_000).map(|i| format!("permission p{i} = p{} ", i + 1)).collect();
    Schema::read_embedded(&format!("definition t {{ {chain} permission p20000 = nil }}")).unwrap();
    let name = format!("definition {}", "x".repeat(500_000));
    assert!(Schema::read_embedded(&name).unwrap_err().to_string().len() < 400);
}

/// A schema with all of SpiceDB's language.
const ALL: &str = r#"
    use expiration
    use self
    use partial

    /** a person */
    definition acme/user { permission same = self }

    caveat within(limit int, tags map<list<string>>) {
        // a } that is none, and a " too
        limit < 5 && tags == {"}": ['{', "\"}"]} && r"\" != '}' && b"}" != br'\' && """
            }" """ != '''
            " \'''}''' /* } */
    }

    caveat acme/Other_Caveat(x any) { x }

    partial viewable {
        relation viewer: acme/user with within | acme/user:* with acme/Other_Caveat and expiration
        ...nested
    }
    partial nested { permission view = viewer }

    definition doc {
        relation parent: doc | doc#parent with expiration
        relation owner: acme/user
        ...viewable
        permission up: acme/user | doc = parent.all(view) + parent.any(view) - self
        permission loop = loop
        permission nothing = owner->nothing
    }"#;

#[test]
fn all_of_spicedbs_language_is_read() {
    let schema = Schema::read(ALL).unwrap();
    let allowed = |name: &str| match schema.member("doc", name) {
        Some(MemberKind::Relation(allowed)) => {
            let conditions = allowed.iter().map(|subject| subject.condition.map(|c| c.expires));
            conditions.collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(allowed("viewer"), [Some(false), Some(true)]);
    assert_eq!(allowed("parent"), [None, Some(true)]);
    assert_eq!(allowed("owner"), [None]);
    assert!(schema.member("doc", "view").is_some());
    let Some(MemberKind::Permission(up)) = schema.member("doc", "up") else {
        panic!("no permission");
    };
    let all = |term: &Term| matches!(term.kind, TermKind::Arrow { all: true, .. });
    assert_eq!(up.terms.iter().filter(|term| all(term)).count(), 1);
    assert!(up.terms.iter().any(|term| term.kind == TermKind::Oneself));
    // Without `use self` it is a name as any other.
    let schema = Schema::read("definition t { relation self: t permission p = self }").unwrap();
    let Some(MemberKind::Permission(p)) = schema.member("t", "p") else {
        panic!("no permission");
    };
    assert_eq!(p.terms[0].kind, TermKind::Reference("self".into()));
}

#[test]
fn the_recorded_schemas_are_read() {
    let history = include_str!("../../examples/data/schema.zed");
    assert_eq!(Schema::read(history).unwrap().definitions().len(), 4);
    // As SpiceDB replies it: the names in order, and some parentheses left out.
    let replied = include_str!("../../tests/wire/spicedb/http-postgres.jsonl");
    let replies = replied.lines().filter_map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let body: serde_json::Value = serde_json::from_str(line["response"]["body"].as_str()?).ok()?;
        Some(body["schemaText"].as_str()?.to_owned())
    });
    let replies: Vec<_> = replies.collect();
    assert!(!replies.is_empty());
    for text in replies {
        let schema = Schema::read(&text).unwrap();
        let Some(MemberKind::Relation(viewer)) = schema.member("document", "viewer") else {
            panic!("no relation");
        };
        assert_eq!(viewer.iter().filter(|subject| subject.condition.is_some()).count(), 3);
    }
}

#[test]
fn what_cannot_be_read_is_an_error() {
    use SchemaErrorKind as Kind;
    let kind = |text: &str| Schema::read(text).unwrap_err().kind().clone();
    assert!(matches!(kind("import \"other.zed\""), Kind::Unsupported { .. }));
    assert!(matches!(kind("use something_new"), Kind::Expected { .. }));
    assert!(matches!(kind("caveat c(x int) { x == \"} }"), Kind::Expected { .. }));
    assert!(matches!(kind("caveat c(x int) { x == \"\n\" }"), Kind::Expected { .. }));
    assert!(matches!(kind("caveat c(x int) { {x }"), Kind::Expected { .. }));
    assert!(matches!(kind("caveat c(x = int) { x }"), Kind::Expected { .. }));
    assert!(matches!(kind("definition t { ...p }"), Kind::UnknownType { .. }));
    assert!(matches!(
        kind("partial p { ...p } definition t { ...p }"),
        Kind::Unsupported { .. }
    ));
    assert!(matches!(
        kind("partial p { relation r: t } definition t { ...p ...p }"),
        Kind::Duplicate { .. }
    ));
    assert!(matches!(
        kind("definition t { relation a: t with expiration and c }"),
        Kind::Expected { .. }
    ));
    // A comment ends with its line, whatever ends that.
    assert!(Schema::read("definition t { // c\r relation a: t }").is_ok());
}

#[test]
fn many_copies_of_partials_end_early() {
    let partial: String = (0..20_000).map(|i| format!("permission p{i} = nil ")).collect();
    let definitions: String = (0..20_000).map(|i| format!("definition t{i} {{ ...p }} ")).collect();
    let text = format!("partial p {{ {partial} }} {definitions}");
    assert!(matches!(
        Schema::read(&text).unwrap_err().kind(),
        SchemaErrorKind::Unsupported { .. }
    ));
}

proptest! {
    #[test]
    fn no_input_panics(text in "[a-z{}():;|#*=+&.>/ \n-]{0,200}") {
        let _ = Schema::read_embedded(&text);
        let _ = Schema::read(&text);
    }

    #[test]
    fn no_sequence_of_tokens_panics(tokens in proptest::collection::vec(prop::sample::select(vec![
        "definition", "relation", "permission", "nil", "a", "b", "t", "{", "}", "(", ")", ":", "=", "+", "&", "-", "->",
        "|", "#", "*", "...", "/", "//", "/*", "*/", "\n", ".any(", ".all(", "use", "self", "caveat", "with", "and",
        "expiration", "partial", "\"", "'", "\"\"\"", "\\",
    ]), 0..40)) {
        let text = tokens.join(" ");
        // The part is read as the whole is.
        prop_assert!(Schema::read_embedded(&text).is_err() || Schema::read(&text).is_ok());
    }
}
