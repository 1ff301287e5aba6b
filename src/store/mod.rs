//! The embedded store: versioned relationships in memory, with checks at any retained revision.
//!
//! A [`Store`] uses SpiceDB's schema language and gives the same answers as SpiceDB. Every write makes a new revision,
//! and earlier ones stay readable until they are collected: [`Store::check`] and [`Store::read`] take the revision to
//! read at. [`Store::watch`] streams the changes, and [`SnapshotReader`] reads at
//! [`RevisionToken`](crate::token::RevisionToken)s.
//!
//! It is for tests, examples and services whose relationships fit into memory. It writes nothing to disk.
//!
//! ```
//! use tower_zookie::store::{Schema, Store, Update};
//!
//! let store = Store::new(Schema::parse(
//!     "definition user {}
//!      definition team { relation member: user | team#member }
//!      definition repo { relation writer: team#member; permission push = writer }",
//! )?);
//! let before = store.current_revision();
//! let after = store.write([
//!     Update::create("team:compiler#member@user:ada".parse()?),
//!     Update::create("repo:rust#writer@team:compiler#member".parse()?),
//! ])?;
//!
//! let (rust, ada) = ("repo:rust".parse()?, "user:ada".parse()?);
//! assert!(!store.check(&rust, "push", &ada, before)?);
//! assert!(store.check(&rust, "push", &ada, after)?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod builder;
mod change;
mod changes;
mod check;
mod clock;
mod embedded;
mod error;
mod filter;
mod history;
pub mod node;
mod objects;
mod relationship;
mod replica;
mod rules;
mod schema;
mod settings;
mod snapshot;
mod state;
#[cfg(test)]
mod tests;
mod write;

pub use crate::schema::error::{SchemaError, SchemaErrorKind};
pub use builder::StoreBuilder;
pub use change::Change;
pub use changes::Changes;
pub use embedded::Store;
pub use error::{
    Behind, CheckError, NodeBehind, QueryError, ReadError, RevisionError, UnknownName, WatchError, WriteError,
    WriteSchemaError,
};
pub use filter::{Filter, SubjectFilter};
pub use history::{History, HistoryError, Transaction};
pub use relationship::{ObjectRef, ParseError, Relationship, SubjectRef};
pub use schema::Schema;
pub use snapshot::{ReadMode, Replicated, SnapshotReader};
pub use write::{Operation, Precondition, Update};
