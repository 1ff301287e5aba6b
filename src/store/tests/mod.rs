mod changes;
mod check;
mod gc;
mod history;
mod model;
mod relationship;
mod snapshot;
mod write;

use crate::store::embedded::Store;
use crate::store::error::CheckError;
use crate::store::filter::Filter;
use crate::store::relationship::{Relationship, SubjectRef};
use crate::store::schema::Schema;
use crate::store::write::Update;

const SCHEMA: &str = "
    definition user {}
    definition team {
        relation parent: team
        relation direct: user | user:* | team#member
        relation banned: user | team#member
        permission member = direct - banned
        permission manage = direct & parent->manage
        permission family = direct + parent->family
    }
    definition doc {
        relation reader: user | user:* | team#member
        relation writer: user | team#member
        permission edit = writer
        permission view = reader + edit
        permission both = reader & writer
    }";

fn store() -> Store {
    Store::new(Schema::parse(SCHEMA).unwrap())
}

fn rel(text: &str) -> Relationship {
    text.parse().unwrap()
}

fn touch(texts: &[&str]) -> Vec<Update> {
    texts.iter().map(|text| Update::touch(rel(text))).collect()
}

fn delete(texts: &[&str]) -> Vec<Update> {
    texts.iter().map(|text| Update::delete(rel(text))).collect()
}

/// Checks `type:id#permission@subject`.
fn try_check(store: &Store, question: &str, revision: u64) -> Result<bool, CheckError> {
    let (resource, rest) = question.split_once('#').unwrap();
    let (permission, subject) = rest.split_once('@').unwrap();
    let subject: SubjectRef = subject.parse().unwrap();
    store.check(&resource.parse().unwrap(), permission, &subject, revision)
}

fn check(store: &Store, question: &str) -> bool {
    try_check(store, question, store.current_revision()).unwrap()
}

fn readers(store: &Store, revision: u64) -> Vec<String> {
    let filter = Filter::of_type("doc").id("plan").relation("reader");
    let found = store.read(&filter, revision).unwrap();
    found
        .iter()
        .map(|relationship| relationship.subject().to_string())
        .collect()
}
