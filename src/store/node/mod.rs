//! Several nodes: stores that exchange their writes.
//!
//! A [`Node`] is a store that is a member of a group, for example one in each region. Every node takes writes and answers
//! reads. A [`Link`] stores each node's log of writes and carries it to the other nodes.
//!
//! - A write has a number at its node, a hybrid timestamp, and the vector clock that it saw. Its token is that clock and itself.
//! - Of concurrent writes to one relationship the one with the later timestamp wins, and the greater node id where they are
//!   equal. A write that carries a token waits until its node has reached the token; its timestamp is then later than all that
//!   the token names, whatever the nodes' clocks say. So a revocation by somebody who saw the grant can't lose to it.
//! - A write becomes visible when the link has stored it. A node applies the writes of another node in order, and each only
//!   after everything that it saw.
//! - A snapshot at a vector clock is the same on every node that has reached it: of the writes at or below the clock the last
//!   one wins. Each node trims its history for itself, below its trim clock.

mod builder;
mod entry;
mod error;
mod following;
mod link;
mod member;
#[cfg(feature = "nats")]
mod nats;
mod network;
mod settings;
mod shared;
mod spelled;
mod stats;
#[cfg(test)]
mod tests;

pub use crate::store::replica::TokenLag;
pub use builder::{NodeBuilder, StartError};
pub use entry::{Body, Entry, SchemaCopy, Snapshot, VersionCopy};
pub use error::NodeWriteError;
pub use link::{Incoming, Link, LinkError, Opened, Pending};
pub use member::{Node, Written};
#[cfg(feature = "nats")]
pub use nats::{NatsError, NatsLink, NatsLinkBuilder};
pub use network::{AppendFailure, Network};
pub use stats::{NodeProgress, NodeStats};
