//! Rules that look right and are wrong, each with a case that shows it.

use crate::changes::relevance::Rules;
use crate::changes::relevance::tests::model::World;
use crate::changes::relevance::tests::{concerns, verdict};
use crate::schema::Schema;

/// Adds a relationship to a state. The answer must change, and the change must concern the question.
fn adding_concerns(schema: &str, state: &[&str], added: &str, question: &str) {
    let world = World::new(schema, 3).unwrap();
    let rules = Rules::new(&Schema::read(schema).unwrap());
    let mut exists = vec![false; world.tuples.len()];
    for tuple in state {
        exists[world.tuple(tuple)] = true;
    }
    let before = world.solve(&exists);
    exists[world.tuple(added)] = true;
    let after = world.solve(&exists);
    let (place, subject, question) = world.question(question);
    let [was, is] = [before, after].map(|solution| solution[place] >> subject & 1 == 1);
    assert_ne!(was, is, "the answer changes");
    let reach = rules.reach(&question.resource.kind, &question.permission).unwrap();
    let change = &world.tuples[world.tuple(added)].change;
    assert!(concerns(&reach, change, false, &question, verdict(was)));
}

#[test]
fn a_relation_of_the_checked_type_is_not_the_resources_own() {
    let schema = "definition user {} definition t { relation r: user | t#r }";
    adding_concerns(schema, &["t:t0#r@t:t1#r"], "t:t1#r@user:user0", "t:t0#r@user:user0");
}

#[test]
fn a_hop_to_the_same_type_leaves_the_resource() {
    let schema = "definition user {} definition t { relation up: t relation r: user permission p = r + up->p }";
    adding_concerns(schema, &["t:t0#up@t:t1"], "t:t1#r@user:user0", "t:t0#p@user:user0");
}

#[test]
fn an_object_under_an_arrow_leads_on() {
    let schema = "definition t { relation p: t permission v = p->v }";
    adding_concerns(schema, &[], "t:t0#p@t:t1", "t:t0#v@t:t1#v");
}

#[test]
fn an_object_of_the_questions_type_leads_on() {
    let schema = "definition user { relation m: user permission n = m->m }";
    adding_concerns(schema, &[], "user:user0#m@user:user1", "user:user0#n@user:user1#m");
}

#[test]
fn an_arrow_follows_usersets_to_their_objects() {
    let schema = "definition user {}
        definition t { relation q: user relation p: t#q permission v = p->q permission w = p->x relation x: user }";
    adding_concerns(schema, &["t:t1#x@user:user0"], "t:t0#p@t:t1#q", "t:t0#w@user:user0");
    adding_concerns(schema, &["t:t0#p@t:t1#q"], "t:t1#x@user:user0", "t:t0#w@user:user0");
}

#[test]
fn a_wildcard_includes_the_subject() {
    adding_concerns("definition t { relation r: t:* }", &[], "t:t0#r@t:*", "t:t0#r@t:t1");
    adding_concerns(
        "definition t { relation r: t:* relation m: t }",
        &[],
        "t:t0#r@t:*",
        "t:t0#r@t:t1#m",
    );
}

#[test]
fn a_userset_leads_on() {
    let schema = "definition user {} definition t { relation m: user relation r: t#m }";
    adding_concerns(schema, &["t:t1#m@user:user0"], "t:t0#r@t:t1#m", "t:t0#r@user:user0");
}

#[test]
fn a_userset_of_a_permission_is_followed() {
    let schema = "definition user {} definition t { relation m: user relation r: t#p permission p = m }";
    adding_concerns(schema, &["t:t0#r@t:t1#p"], "t:t1#m@user:user0", "t:t0#r@user:user0");
}

#[test]
fn what_an_exclusion_takes_away_matters() {
    let schema = "definition user {} definition t { relation r: user relation b: user permission p = r - b }";
    adding_concerns(schema, &["t:t0#r@user:user0"], "t:t0#b@user:user0", "t:t0#p@user:user0");
}

#[test]
fn one_more_object_can_end_an_arrow_to_all() {
    let schema = "definition user {} definition t { relation up: t relation r: user permission p = up.all(r) }";
    let state = ["t:t0#up@t:t1", "t:t1#r@user:user0"];
    adding_concerns(schema, &state, "t:t0#up@t:t2", "t:t0#p@user:user0");
}
