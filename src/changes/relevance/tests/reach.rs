use crate::changes::relevance::{Entry, Role, Rules, Sign};
use crate::schema::Schema;

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
