use std::path::Path;

use crate::store::embedded::Store;
use crate::store::error::{QueryError, UnknownName, WriteError, WriteSchemaError};
use crate::store::filter::{Filter, SubjectFilter};
use crate::store::history::History;
use crate::store::schema::Schema;
use crate::store::tests::{SCHEMA, check, delete, readers, rel, store, touch, try_check};
use crate::store::write::{Precondition, Update};

#[test]
fn every_write_makes_a_revision() {
    let store = store();
    assert_eq!(store.current_revision(), 1);
    let grant = touch(&["doc:plan#reader@user:alice"]);
    assert_eq!(store.write(grant.clone()), Ok(2));
    assert_eq!(store.write(grant), Ok(3));
    assert_eq!(store.write(delete(&["doc:plan#reader@user:alice"])), Ok(4));
    assert_eq!(store.write([]), Ok(5));
    let at = |revision| readers(&store, revision).len();
    assert_eq!([at(1), at(2), at(3), at(4), at(5)], [0, 1, 1, 0, 0]);
}

#[test]
fn a_failed_write_changes_nothing() {
    let store = store();
    store.write(touch(&["doc:plan#reader@user:alice"])).unwrap();
    let bob = || Update::touch(rel("doc:plan#reader@user:bob"));
    let rejected = |update: Update, error: WriteError| {
        assert_eq!(store.write([bob(), update]), Err(error));
        assert_eq!(store.current_revision(), 2);
        assert_eq!(readers(&store, 2), ["user:alice"]);
    };
    let relationship = rel("doc:plan#reader@user:alice");
    rejected(
        Update::create(relationship.clone()),
        WriteError::AlreadyExists { relationship },
    );
    let relationship = rel("doc:plan#reader@user:carol");
    rejected(
        Update::delete(relationship.clone()),
        WriteError::DoesNotExist { relationship },
    );
    let relationship = rel("doc:plan#reader@user:bob");
    rejected(
        Update::delete(relationship.clone()),
        WriteError::Duplicate { relationship },
    );
    for text in [
        "doc:plan#reader@team:a",
        "doc:plan#writer@user:*",
        "team:a#direct@team:a#direct",
        "team:a#parent@user:a",
    ] {
        let relationship = rel(text);
        rejected(
            Update::touch(relationship.clone()),
            WriteError::SubjectNotAllowed { relationship },
        );
    }
    let unknown = |text: &str| match store.write([bob(), Update::touch(rel(text))]) {
        Err(WriteError::UnknownName(unknown)) => unknown,
        other => panic!("{other:?}"),
    };
    assert!(matches!(unknown("file:plan#reader@user:a"), UnknownName::Type { .. }));
    assert!(matches!(unknown("doc:plan#reader@robot:a"), UnknownName::Type { .. }));
    assert!(matches!(unknown("doc:plan#owner@user:a"), UnknownName::Member { .. }));
    assert!(matches!(
        unknown("doc:plan#reader@team:a#lead"),
        UnknownName::Member { .. }
    ));
    assert!(matches!(
        unknown("doc:plan#view@user:a"),
        UnknownName::NotARelation { .. }
    ));
    assert_eq!(store.current_revision(), 2);
    assert!(store.write([bob()]).is_ok());
}

#[test]
fn errors_name_the_relationship() {
    let error = store().write(delete(&["doc:plan#reader@user:carol"])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`doc:plan#reader@user:carol` does not exist; leave it out of the write"
    );
}

#[test]
fn preconditions_guard_a_write() {
    let store = store();
    store.write(touch(&["doc:plan#reader@user:alice"])).unwrap();
    let plan = Filter::of_type("doc").id("plan").relation("reader");
    let alice = plan.clone().subject(SubjectFilter::of_type("user").id("alice"));
    let bob = plan.clone().subject(SubjectFilter::of_type("user").id("bob"));
    let write = |preconditions: &[Precondition]| store.write_if(touch(&["doc:plan#reader@user:carol"]), preconditions);
    let must = Precondition::MustMatch;
    let must_not = Precondition::MustNotMatch;
    let failed = |index| Err(WriteError::PreconditionFailed { index });
    assert_eq!(write(&[must(alice.clone()), must(bob.clone())]), failed(1));
    assert_eq!(write(&[must_not(alice.clone())]), failed(0));
    assert_eq!(write(&[must_not(Filter::of_type("doc"))]), failed(0));
    assert_eq!(write(&[must(Filter::of_type("doc").id("not an id"))]), failed(0));
    assert_eq!(store.current_revision(), 2);
    assert_eq!(
        write(&[must(alice), must_not(bob), must(Filter::of_type("doc"))]),
        Ok(3)
    );
    assert!(matches!(
        write(&[must_not(Filter::of_type("dok"))]),
        Err(WriteError::UnknownName(_))
    ));
    assert!(matches!(
        write(&[must_not(plan.relation("raeder"))]),
        Err(WriteError::UnknownName(_))
    ));
}

#[test]
fn a_write_has_a_size_limit() {
    let store = Store::builder()
        .max_updates(3)
        .build(Schema::parse(SCHEMA).unwrap())
        .unwrap();
    let updates = |count: usize| (0..count).map(|i| Update::touch(rel(&format!("doc:{i}#reader@user:a"))));
    assert_eq!(store.write(updates(3)), Ok(2));
    assert!(matches!(
        store.write(updates(4)),
        Err(WriteError::TooLarge { max: 3, .. })
    ));
    // An endless iterator is not read to its end.
    let endless = std::iter::repeat_with(|| Update::touch(rel("doc:a#reader@user:a")));
    assert!(matches!(store.write(endless), Err(WriteError::TooLarge { .. })));
}

#[test]
fn a_recorded_transaction_has_no_size_limit() {
    let store = Store::builder()
        .max_updates(3)
        .build(Schema::parse(SCHEMA).unwrap())
        .unwrap();
    let updates = (0..1_001).map(|i| format!(r#"["touch","doc:{i}","reader","user:a"]"#));
    let line = format!(r#"{{"t":1,"updates":[{}]}}"#, updates.collect::<Vec<_>>().join(","));
    let transactions = History::read_transactions(line.as_bytes(), Path::new("some.jsonl")).unwrap();
    assert_eq!(store.load(transactions[0].clone()), Ok(2));
    assert!(check(&store, "doc:1000#reader@user:a"));
    let twice = r#"{"t":1,"updates":[["touch","doc:a","reader","user:a"],["delete","doc:a","reader","user:a"]]}"#;
    let transactions = History::read_transactions(twice.as_bytes(), Path::new("some.jsonl")).unwrap();
    assert!(matches!(
        store.load(transactions[0].clone()),
        Err(WriteError::Duplicate { .. })
    ));
    assert_eq!(store.current_revision(), 2);
}

#[test]
fn a_schema_is_versioned_too() {
    let store = store();
    store.write(touch(&["doc:plan#reader@user:alice"])).unwrap();
    let rejected = Schema::parse("definition user {} definition doc { relation reader: user:* }").unwrap();
    let relationship = rel("doc:plan#reader@user:alice");
    assert_eq!(
        store.write_schema(rejected),
        Err(WriteSchemaError::InUse { relationship })
    );
    assert_eq!(store.current_revision(), 2);

    let schema = Schema::parse(
        "definition doc { relation reader: user permission view = nil permission look = reader } definition user {}",
    );
    assert_eq!(store.write_schema(schema.unwrap()), Ok(3));
    assert!(try_check(&store, "doc:plan#view@user:alice", 2).unwrap());
    assert!(!check(&store, "doc:plan#view@user:alice"));
    assert!(check(&store, "doc:plan#look@user:alice"));
    assert!(try_check(&store, "doc:plan#look@user:alice", 2).is_err());
    assert!(store.schema(2).unwrap().has_type("team"));
    assert!(!store.schema(3).unwrap().has_type("team"));
    assert!(matches!(
        store.read(&Filter::of_type("team"), 3),
        Err(QueryError::UnknownName(UnknownName::Type { .. }))
    ));
    assert_eq!(store.read(&Filter::of_type("team"), 2), Ok(vec![]));
}
