use crate::changes::relevance::{Entry, Role, Rules, Sign};
use crate::schema::Schema;

fn rules(schema: &str) -> Rules {
    Rules::new(&Schema::read(schema).unwrap())
}

/// The entries as text: `*` for any resource, `->` for an arrow, and the sign.
fn entries(schema: &str, kind: &str, name: &str) -> Vec<String> {
    let rules = Rules::new(&Schema::read(schema).unwrap());
    let reach = rules.reach(kind, name).unwrap();
    let show = |entry: &Entry| {
        let resource = if entry.own { "" } else { "*" };
        let arrow = if entry.role == Role::Through { "->" } else { "" };
        let sign = match entry.sign {
            Sign::Plus => "+",
            Sign::Minus => "-",
            Sign::Both => "+-",
        };
        format!("{}{resource}#{}{arrow} {sign}", entry.kind, entry.relation)
    };
    reach.entries.iter().map(show).collect()
}

#[test]
fn own_relations_are_told_from_those_of_others() {
    let schema = "
        definition user {}
        definition team {
            relation parent: team
            relation direct: user | team#member
            permission member = direct
            permission manage = direct + parent->manage
        }
        definition repo {
            relation team: team
            relation writer: user | team#member
            permission push = writer
            permission admin = team->manage
        }";
    assert_eq!(entries(schema, "team", "direct"), ["team*#direct +"]);
    assert_eq!(entries(schema, "repo", "push"), ["repo#writer +", "team*#direct +"]);
    assert_eq!(
        entries(schema, "team", "manage"),
        ["team*#direct +", "team*#parent-> +"]
    );
    assert_eq!(
        entries(schema, "repo", "admin"),
        ["repo#team-> +", "team*#direct +", "team*#parent-> +"]
    );
}

#[test]
fn exclusions_turn_the_sign() {
    let schema = "
        definition user {}
        definition doc {
            relation up: doc
            relation a: user
            relation b: user
            relation c: user
            permission p = a - (b - c)
            permission both = a - (a & b)
            permission of_all = a - up.all(a)
        }";
    assert_eq!(entries(schema, "doc", "p"), ["doc#a +", "doc#b -", "doc#c +"]);
    assert_eq!(entries(schema, "doc", "both"), ["doc#a +-", "doc#b -"]);
    assert_eq!(entries(schema, "doc", "of_all"), ["doc*#a -", "doc#a +", "doc#up-> +-"]);
}

#[test]
fn entries_that_another_one_includes_are_left_out() {
    let schema = "
        definition user {}
        definition team {
            relation parent: team
            relation direct: user | team#member
            permission member = direct + parent->member
            permission not = direct - parent->direct
            permission parents = parent + parent->parents
        }";
    assert_eq!(
        entries(schema, "team", "member"),
        ["team*#direct +", "team*#parent-> +"]
    );
    assert_eq!(entries(schema, "team", "not"), ["team*#direct +-", "team*#parent-> +-"]);
    assert_eq!(entries(schema, "team", "parents"), ["team*#parent-> +"]);
}

#[test]
fn what_expires_or_has_conditions_is_known() {
    let rules = rules(
        "use expiration
        caveat even(n int) { n % 2 == 0 }
        definition user {}
        definition team { relation member: user with expiration | user:* with even }
        definition doc {
            relation team: team
            relation reader: user with even
            relation writer: user | team#member
            permission read = reader
            permission through = team->member
        }",
    );
    let expires = |name| rules.reach("doc", name).unwrap().expires;
    assert_eq!(
        ["read", "writer", "through", "team"].map(expires),
        [false, true, true, false]
    );
    let conditional = |kind, name| rules.is_conditional(kind, name);
    assert!(conditional("team", "member") && conditional("doc", "reader"));
    assert!(!conditional("doc", "writer"));
    assert!(conditional("doc", "unknown") && conditional("unknown", "writer"));
}

#[test]
fn what_the_schema_does_not_have_has_no_reach() {
    let rules = rules("definition user {} definition doc { relation reader: user }");
    assert!(rules.reach("doc", "reader").is_some());
    assert!(rules.reach("doc", "unknown").is_none());
    assert!(rules.reach("unknown", "reader").is_none());
}

#[test]
fn a_permission_that_consults_too_much_has_no_reach() {
    let names: Vec<_> = (0..300).map(|i| format!("r{i}")).collect();
    let relations: String = names.iter().map(|name| format!("relation {name}: user ")).collect();
    let (few, many) = (names[..256].join(" + "), names[..257].join(" + "));
    let schema =
        format!("definition user {{}} definition t {{ {relations} permission few = {few} permission many = {many} }}");
    let rules = rules(&schema);
    assert_eq!(rules.reach("t", "few").unwrap().entries.len(), 256);
    assert!(rules.reach("t", "many").is_none());
    // The time is bounded too, however often the same is named.
    let repeated = vec!["r0->p"; 70_000].join(" + ");
    let schema = format!("definition t {{ relation r0: t permission p = {repeated} }}");
    assert!(self::rules(&schema).reach("t", "p").is_none());
}
