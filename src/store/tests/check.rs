use crate::store::embedded::Store;
use crate::store::error::{CheckError, RevisionError, UnknownName};
use crate::store::schema::Schema;
use crate::store::tests::{SCHEMA, check, rel, store, touch, try_check};
use crate::store::write::Update;

#[test]
fn permissions_are_computed_as_the_schema_says() {
    let store = store();
    store
        .write(touch(&[
            "team:core#direct@user:ada",
            "team:core#direct@user:eve",
            "team:core#banned@user:eve",
            "team:lang#direct@team:core#member",
            "team:lang#parent@team:core",
            "doc:plan#writer@team:lang#member",
            "doc:plan#reader@user:bob",
            "doc:plan#reader@user:ada",
            "doc:open#reader@user:*",
        ]))
        .unwrap();
    assert!(check(&store, "doc:plan#view@user:ada"));
    assert!(check(&store, "doc:plan#edit@user:ada"));
    assert!(check(&store, "doc:plan#writer@user:ada"));
    assert!(check(&store, "doc:plan#both@user:ada"));
    assert!(!check(&store, "doc:plan#both@user:bob"));
    assert!(!check(&store, "doc:plan#edit@user:bob"));
    assert!(!check(&store, "doc:plan#view@user:eve"));
    assert!(check(&store, "team:lang#family@user:eve"));
    assert!(check(&store, "doc:open#view@user:anyone"));
    assert!(!check(&store, "doc:unknown#view@user:anyone"));
    // A wildcard means objects, not usersets.
    assert!(!check(&store, "doc:open#view@team:core#member"));
}

#[test]
fn a_userset_is_a_subject() {
    let store = store();
    store
        .write(touch(&[
            "team:lang#direct@team:core#member",
            "doc:plan#writer@team:lang#member",
        ]))
        .unwrap();
    assert!(check(&store, "doc:plan#writer@team:lang#member"));
    assert!(check(&store, "doc:plan#view@team:core#member"));
    assert!(!check(&store, "doc:plan#view@team:other#member"));
    // A userset also has the permissions that its members have through another of its relations.
    assert!(check(&store, "doc:plan#view@team:core#direct"));
    assert!(check(&store, "team:new#member@team:new#member"));
    assert!(check(&store, "team:new#family@team:new#direct"));
    assert!(!check(&store, "team:new#direct@team:new#family"));
}

#[test]
fn errors_say_what_is_unknown() {
    let store = store();
    let error = |question: &str| try_check(&store, question, 1).unwrap_err();
    assert!(matches!(
        error("file:a#view@user:a"),
        CheckError::UnknownName(UnknownName::Type { .. })
    ));
    assert!(matches!(
        error("doc:a#view@robot:a"),
        CheckError::UnknownName(UnknownName::Type { .. })
    ));
    assert!(matches!(
        error("doc:a#fly@user:a"),
        CheckError::UnknownName(UnknownName::Member { .. })
    ));
    assert!(matches!(
        error("doc:a#view@team:a#fly"),
        CheckError::UnknownName(UnknownName::Member { .. })
    ));
    assert!(matches!(error("doc:a#view@user:*"), CheckError::Wildcard { .. }));
    assert!(matches!(error("doc:*#view@user:a"), CheckError::Wildcard { .. }));
    let ahead = try_check(&store, "doc:a#view@user:a", 2);
    let Err(CheckError::Revision(RevisionError::NotReached { behind })) = ahead else {
        panic!("{ahead:?}")
    };
    assert_eq!((behind.nodes()[0].requested, behind.nodes()[0].reached), (2, 1));
    let expired = RevisionError::SnapshotExpired {
        node: store.node_id().to_owned(),
        requested: 0,
        oldest: 1,
    };
    assert_eq!(try_check(&store, "doc:a#view@user:a", 0), Err(expired.into()));
}

#[test]
fn cycles_in_the_data_have_an_answer() {
    let store = store();
    store
        .write(touch(&[
            "team:a#direct@team:b#member",
            "team:b#direct@team:c#member",
            "team:c#direct@team:a#member",
            "team:c#direct@user:ada",
            "team:a#parent@team:a",
        ]))
        .unwrap();
    for team in ["a", "b", "c"] {
        assert!(check(&store, &format!("team:{team}#direct@user:ada")));
        assert!(check(&store, &format!("team:{team}#member@user:ada")));
        assert!(!check(&store, &format!("team:{team}#member@user:bob")));
    }
    // An intersection with itself, through its parent: nothing proves it.
    assert!(!check(&store, "team:a#manage@user:ada"));
}

#[test]
fn a_cycle_through_an_exclusion_is_an_error() {
    let store = store();
    store
        .write(touch(&[
            "team:a#direct@user:ada",
            "team:a#banned@team:a#member",
            "doc:a#reader@user:ada",
        ]))
        .unwrap();
    let head = store.current_revision();
    let error = try_check(&store, "team:a#member@user:ada", head).unwrap_err();
    assert!(matches!(error, CheckError::ExclusionCycle { .. }));
    // Only if the answer depends on it.
    assert!(!check(&store, "team:a#member@user:bob"));
    store.write(touch(&["doc:a#writer@team:a#member"])).unwrap();
    assert!(check(&store, "doc:a#view@user:ada"));
}

#[test]
fn exclusions_of_exclusions_alternate() {
    let store = store();
    let updates = (0..100).flat_map(|i| {
        touch(&[
            &format!("team:t{i}#direct@user:ada"),
            &format!("team:t{}#banned@team:t{i}#member", i + 1),
        ])
    });
    store.write(updates).unwrap();
    for i in 0..100 {
        assert_eq!(check(&store, &format!("team:t{i}#member@user:ada")), i % 2 == 0, "{i}");
    }
}

#[test]
fn an_exclusion_waits_for_a_nested_exclusion() {
    let schema = "definition user {} definition t {
        relation a: user
        relation b: user
        permission only_a = a - b
        permission twice = only_a & a
        permission p = (only_a & nil) + (a - twice)
    }";
    let store = Store::new(Schema::parse(schema).unwrap());
    store.write(touch(&["t:x#a@user:ada"])).unwrap();
    assert!(check(&store, "t:x#twice@user:ada"));
    assert!(!check(&store, "t:x#p@user:ada"));
    store.write(touch(&["t:x#b@user:ada"])).unwrap();
    assert!(!check(&store, "t:x#twice@user:ada"));
    assert!(check(&store, "t:x#p@user:ada"));
}

fn chain(length: usize) -> Store {
    let schema = Schema::parse(SCHEMA).unwrap();
    let store = Store::builder().max_updates(usize::MAX).build(schema).unwrap();
    let link = |i: usize| Update::touch(rel(&format!("team:t{i}#direct@team:t{}#member", i + 1)));
    let end = Update::touch(rel(&format!("team:t{length}#direct@user:ada")));
    store.write((0..length).map(link).chain([end])).unwrap();
    store
}

#[test]
fn a_chain_of_100_000_teams_has_an_answer() {
    let store = chain(100_000);
    assert!(check(&store, "team:t0#direct@user:ada"));
    assert!(!check(&store, "team:t0#direct@user:bob"));
}

#[test]
fn work_is_bounded() {
    let schema = Schema::parse(SCHEMA).unwrap();
    let store = Store::builder().max_check_steps(50).build(schema).unwrap();
    let link = |i: usize| Update::touch(rel(&format!("team:t{i}#direct@team:t{}#member", i + 1)));
    store.write((0..100).map(link)).unwrap();
    let error = try_check(&store, "team:t0#member@user:ada", 2).unwrap_err();
    assert_eq!(error, CheckError::TooComplex { max: 50 });
    assert!(!check(&store, "team:t95#member@user:ada"));
}

#[test]
fn diamonds_are_visited_once() {
    let schema = Schema::parse(SCHEMA).unwrap();
    let store = Store::builder().max_check_steps(2_000).build(schema).unwrap();
    let layers = (0..40).flat_map(|i| {
        let next = i + 1;
        ["a", "b"].map(|from| {
            ["a", "b"].map(|to| Update::touch(rel(&format!("team:{from}{i}#direct@team:{to}{next}#member"))))
        })
    });
    store.write(layers.flatten()).unwrap();
    assert!(!check(&store, "team:a0#member@user:ada"));
}

#[test]
fn a_long_expression_does_not_overflow_the_stack() {
    let expression = " - b".repeat(50_000);
    let store = Store::new(
        Schema::parse(&format!(
            "definition user {{}} definition t {{ relation a: user relation b: user permission p = a{expression} }}"
        ))
        .unwrap(),
    );
    store
        .write(touch(&["t:x#a@user:ada", "t:x#a@user:bob", "t:x#b@user:bob"]))
        .unwrap();
    assert!(check(&store, "t:x#a@user:ada"));
    assert!(!check(&store, "t:x#p@user:bob"));
    assert!(check(&store, "t:x#p@user:ada"));
}
