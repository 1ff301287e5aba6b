use std::time::Duration;

use crate::store::error::{ReadError, WriteError, WriteSchemaError};

/// Why a node did not acknowledge a write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NodeWriteError {
    /// The token of the write can't be waited for, or the node did not reach it. Nothing is written.
    #[error(transparent)]
    Token(ReadError),
    /// The store refused the write. Nothing is written.
    #[error(transparent)]
    Refused(#[from] WriteError),
    /// The store refused the schema. Nothing is written.
    #[error(transparent)]
    SchemaRefused(#[from] WriteSchemaError),
    /// Too many writes wait for the link to store them. Nothing is written.
    #[error("{max} writes already wait until the link stores them; try again later")]
    Busy {
        /// The limit of waiting writes.
        max: usize,
    },
    /// The link can't carry the write. Nothing is written.
    #[error("the write has {size} bytes as JSON, more than the {limit} that the link can carry; split it")]
    TooLarge {
        /// The size of the write with its clock, as JSON, in bytes.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// The write is not stored yet. It may still be stored.
    #[error("the write was not stored within {waited:?}, and may still be stored; read what it writes, then decide")]
    Unacknowledged {
        /// How long the write has waited.
        waited: Duration,
    },
    /// Another process writes as the same node, so that this one writes nothing more. Whether this write was stored is not
    /// known.
    #[error("another process writes as this node; give each process a node name of its own, and start this one again")]
    Taken,
}
