use std::error::Error;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::schema::error::SchemaError;
use crate::store::relationship::{ParseError, Relationship};
use crate::store::schema::Schema;
use crate::store::write::Update;

/// A recorded history: a schema, and all writes from an empty store to the last state.
///
/// It is a folder with `schema.zed` and `transactions.jsonl`. Each line of the latter is one write: `{"t": unix
/// seconds, "updates": [["touch" | "delete", resource, relation, subject], …]}`, in ascending order of `t`.
///
/// ```no_run
/// use tower_zookie::store::{History, Store};
///
/// let history = History::open("examples/data")?;
/// let store = Store::new(history.schema);
/// for transaction in history.transactions {
///     store.load(transaction)?;
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct History {
    /// The schema that all writes follow.
    pub schema: Schema,
    /// The writes, oldest first.
    pub transactions: Vec<Transaction>,
}

/// One recorded write.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transaction {
    /// When it happened, in seconds since the Unix epoch.
    pub t: u64,
    /// What it changed.
    pub updates: Vec<Update>,
}

/// Why a history can't be read: the file, the line if there is one, and the cause.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// A file can't be read.
    #[error("can't read {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The schema is not valid.
    #[error("{} is not a valid schema", path.display())]
    Schema {
        /// The file.
        path: PathBuf,
        /// Why.
        source: SchemaError,
    },
    /// A line is not a transaction.
    #[error("{}, line {line}: not a transaction; write {{\"t\": seconds, \"updates\": [[op, resource, relation, subject]]}}", path.display())]
    Transaction {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// An update does not name a valid relationship.
    #[error("{}, line {line}, update {update}: not a relationship", path.display())]
    Relationship {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// Which of its updates, from 1.
        update: usize,
        /// Why.
        source: ParseError,
    },
    /// A line has an earlier time than the line before it.
    #[error("{}, line {line}: its time is before that of the previous line; sort the transactions by `t`", path.display())]
    Order {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
}

impl History {
    /// Reads the history in a folder, all of it into memory.
    ///
    /// # Errors
    ///
    /// [`HistoryError`].
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, HistoryError> {
        let path = folder.as_ref().join("schema.zed");
        let schema = match std::fs::read_to_string(&path) {
            Ok(text) => Schema::parse(&text),
            Err(source) => return Err(HistoryError::Io { path, source }),
        };
        let schema = schema.map_err(|source| HistoryError::Schema { path, source })?;
        let path = folder.as_ref().join("transactions.jsonl");
        let transactions = match File::open(&path) {
            Ok(file) => Self::read_transactions(BufReader::new(file), &path)?,
            Err(source) => return Err(HistoryError::Io { path, source }),
        };
        Ok(Self { schema, transactions })
    }

    /// Reads transactions, one per line. Blank lines are skipped. `path` is for the errors.
    ///
    /// # Errors
    ///
    /// [`HistoryError`], except `Schema`.
    pub fn read_transactions(from: impl BufRead, path: &Path) -> Result<Vec<Transaction>, HistoryError> {
        let mut transactions: Vec<Transaction> = Vec::new();
        for (index, text) in from.lines().enumerate() {
            let (path, line) = (path.to_owned(), index + 1);
            let text = match text {
                Ok(text) => text,
                Err(source) => return Err(HistoryError::Io { path, source }),
            };
            if text.trim().is_empty() {
                continue;
            }
            let transaction = read_transaction(&text, &path, line)?;
            if transactions.last().is_some_and(|before| before.t > transaction.t) {
                return Err(HistoryError::Order { path, line });
            }
            transactions.push(transaction);
        }
        Ok(transactions)
    }
}

#[derive(Deserialize)]
struct RawTransaction {
    t: u64,
    updates: Vec<(RawOperation, String, String, String)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawOperation {
    Touch,
    Delete,
}

fn read_transaction(text: &str, path: &Path, line: usize) -> Result<Transaction, HistoryError> {
    let raw: RawTransaction = serde_json::from_str(text).map_err(|source| HistoryError::Transaction {
        path: path.to_owned(),
        line,
        source: source.into(),
    })?;
    let mut updates = Vec::with_capacity(raw.updates.len());
    for (index, (operation, resource, relation, subject)) in raw.updates.iter().enumerate() {
        let relationship = read_relationship(resource, relation, subject).map_err(|source| {
            let (path, update) = (path.to_owned(), index + 1);
            HistoryError::Relationship {
                path,
                line,
                update,
                source,
            }
        })?;
        updates.push(match operation {
            RawOperation::Touch => Update::touch(relationship),
            RawOperation::Delete => Update::delete(relationship),
        });
    }
    Ok(Transaction { t: raw.t, updates })
}

fn read_relationship(resource: &str, relation: &str, subject: &str) -> Result<Relationship, ParseError> {
    Relationship::new(resource.parse()?, relation, subject.parse()?)
}
