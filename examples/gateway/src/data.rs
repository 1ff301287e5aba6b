//! A recorded history, loaded into a store.

use std::path::Path;

use tower_zookie::store::{History, Operation, Relationship, Store, Transaction, WriteError};

use crate::AnyError;

/// A transaction that the schema or the ones before it do not allow.
#[derive(Debug, thiserror::Error)]
#[error("transaction {number} of the history can't be written")]
struct WriteFailed {
    number: usize,
    source: WriteError,
}

/// A store with the whole history in a folder, and some relationship that exists at its end.
pub fn load(folder: &Path) -> Result<(Store, Option<Relationship>), AnyError> {
    let history = History::open(folder)?;
    let store = Store::new(history.schema);
    write_all(&store, &history.transactions)?;
    let example = newest(&store, &history.transactions);
    Ok((store, example))
}

/// Writes the transactions in order and gives the revision of each.
pub fn write_all(store: &Store, transactions: &[Transaction]) -> Result<Vec<u64>, AnyError> {
    let mut revisions = Vec::with_capacity(transactions.len());
    for (index, transaction) in transactions.iter().enumerate() {
        let number = index + 1;
        let written = store.load(transaction.clone());
        revisions.push(written.map_err(|source| WriteFailed { number, source })?);
    }
    Ok(revisions)
}

/// The relationship of an object, not of a userset, that was made last of those that still exist.
fn newest(store: &Store, transactions: &[Transaction]) -> Option<Relationship> {
    let head = store.current_revision();
    let updates = transactions
        .iter()
        .rev()
        .flat_map(|transaction| transaction.updates.iter().rev());
    updates
        .filter(|update| update.operation != Operation::Delete)
        .map(|update| &update.relationship)
        .filter(|made| made.subject().relation().is_none() && !made.subject().is_wildcard())
        .find(|made| store.check(made.resource(), made.relation(), made.subject(), head) == Ok(true))
        .cloned()
}
