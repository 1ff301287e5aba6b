//! Judges recorded replies by the contract, with an evaluator of its own over the recorded writes.
//!
//! Nothing here uses the layer's or the store's code: a mistake there can't hide itself. Instants are counted from any
//! common origin.

mod evaluate;
mod judge;
mod recorded;
mod schema;
#[cfg(test)]
mod tests;
mod zookie;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use evaluate::Tuple;
pub use judge::{Bounds, Judge};
pub use recorded::transactions;
pub use zookie::revision_of;

/// One recorded write.
#[derive(Clone, Debug)]
pub struct Write {
    /// The revision that it made.
    pub revision: u64,
    /// When the writer had its reply.
    pub acknowledged: Duration,
    pub changes: Vec<Change>,
}

/// One change of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// It exists from now on, or no longer.
    pub exists: bool,
    pub tuple: Tuple,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    pub resource: String,
    pub permission: String,
    pub subject: String,
}

/// The consistency that the caller asked for, without its tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsistencyLevel {
    /// Any answer within the age bound that covers the tokens.
    Any,
    /// At exactly the one token.
    Exact,
    Full,
    /// Read at head no longer ago than this.
    Bounded(Duration),
}

/// One recorded reply, single or bulk.
#[derive(Clone, Debug)]
pub struct Reply {
    pub sent: Duration,
    pub consistency: ConsistencyLevel,
    /// The revisions of all tokens that were sent.
    pub tokens: Vec<u64>,
    /// The revision that the reply names.
    pub revision: u64,
    pub decisions: Vec<(Arc<Question>, bool)>,
    /// A client that chains its own zookies, and which of its replies this is.
    pub session: Option<(u32, u32)>,
    /// What else helps to find the cause.
    pub note: Box<str>,
}

/// A sentence of the contract that a reply breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The reply names a revision that no write made.
    UnknownRevision,
    Decision {
        question: Arc<Question>,
        said: bool,
    },
    /// Some items of a bulk hold at the reply's revision, and some do not.
    Bulk {
        question: Arc<Question>,
        said: bool,
    },
    Floor {
        token: u64,
    },
    Exact {
        token: u64,
    },
    Full {
        missing: u64,
    },
    Age {
        missing: u64,
        acknowledged_before: Duration,
        bound: Duration,
    },
    Bounded {
        missing: u64,
        acknowledged_before: Duration,
        bound: Duration,
    },
    Order {
        before: u64,
    },
}

#[derive(Clone, Debug)]
pub struct Violation {
    pub reply: Reply,
    pub broken: Broken,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Reply {
            sent,
            consistency,
            tokens,
            revision,
            note,
            ..
        } = &self.reply;
        match &self.broken {
            Broken::UnknownRevision => write!(f, "label: no write made revision {revision}"),
            Broken::Decision { question, said } => {
                write!(
                    f,
                    "label: {question} is {} at revision {revision}, and the reply says {said}",
                    !said
                )
            }
            Broken::Bulk { question, said } => write!(
                f,
                "bulk: {question} is {} at revision {revision}, and the reply says {said}, while other items hold there",
                !said
            ),
            Broken::Floor { token } => write!(f, "floor: the reply is of revision {revision}, the token of {token}"),
            Broken::Exact { token } => write!(f, "exact: the reply is of revision {revision}, the snapshot {token}"),
            Broken::Full { missing } => write!(
                f,
                "full: revision {missing} was acknowledged before the request was sent, and the reply is of {revision}"
            ),
            Broken::Age {
                missing,
                acknowledged_before,
                bound,
            } => write!(
                f,
                "age: revision {missing} was acknowledged {acknowledged_before:?} before the request was sent, and the reply \
                 is of {revision}; the bound is {bound:?}"
            ),
            Broken::Bounded {
                missing,
                acknowledged_before,
                bound,
            } => write!(
                f,
                "bounded staleness: revision {missing} was acknowledged {acknowledged_before:?} before the request was sent, \
                 and the reply is of {revision}; the caller's bound is {bound:?}"
            ),
            Broken::Order { before } => write!(
                f,
                "order: the client had seen revision {before} when it sent this, and the reply is of {revision}"
            ),
        }?;
        write!(f, "\n    sent at {sent:?}, {consistency:?}, tokens {tokens:?}; {note}")
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}@{}", self.resource, self.permission, self.subject)
    }
}
