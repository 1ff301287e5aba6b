//! A recorded history, loaded into a store or a group of nodes.

use std::sync::Arc;

use tower_zookie::store::node::{Node, NodeWriteError};
use tower_zookie::store::{History, Operation, Relationship, Store, Transaction, WriteError};

use crate::AnyError;
use crate::backend::Backend;

/// A transaction that the schema or the ones before it do not allow.
#[derive(Debug, thiserror::Error)]
#[error("transaction {number} of the history can't be written")]
struct WriteFailed {
    number: usize,
    source: WriteError,
}

/// As [`WriteFailed`], at a node.
#[derive(Debug, thiserror::Error)]
#[error("transaction {number} of the history can't be written")]
struct LoadFailed {
    number: usize,
    source: NodeWriteError,
}

/// A store with a whole history, and some relationship that exists at its end.
pub fn load(history: History) -> Result<(Arc<Store>, Option<Relationship>), AnyError> {
    let store = Arc::new(Store::new(history.schema));
    write_all(&store, &history.transactions)?;
    let example = newest(&Arc::clone(&store).into(), &history.transactions);
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

/// Writes the history in a folder to a node, if nothing was written in its group yet, and gives some relationship that exists
/// at its end.
pub async fn load_into(node: &Arc<Node>, history: History) -> Result<Option<Relationship>, AnyError> {
    // The first entry of each node says that it joined.
    let is_new = node.clock().iter().all(|(_, number)| number <= 1);
    let transactions = history.transactions;
    for (index, transaction) in transactions.iter().enumerate().filter(|_| is_new) {
        let number = index + 1;
        let written = node.load(transaction.clone()).await;
        written.map_err(|source| LoadFailed { number, source })?;
    }
    Ok(newest(&Arc::clone(node).into(), &transactions))
}

/// The relationship of an object, not of a userset, that was made last of those that still exist.
fn newest(backend: &Backend, transactions: &[Transaction]) -> Option<Relationship> {
    let head = backend.current();
    let updates = transactions
        .iter()
        .rev()
        .flat_map(|transaction| transaction.updates.iter().rev());
    updates
        .filter(|update| update.operation != Operation::Delete)
        .map(|update| &update.relationship)
        .filter(|made| made.subject().relation().is_none() && !made.subject().is_wildcard())
        .find(|made| backend.check(made.resource(), made.relation(), made.subject(), &head) == Ok(true))
        .cloned()
}
