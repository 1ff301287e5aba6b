//! Several nodes: stores that exchange their writes.

mod entry;
mod link;
mod spelled;

pub use entry::{Body, Entry, SchemaCopy, Snapshot, VersionCopy};
pub use link::{Incoming, Link, LinkError, Opened, Pending};
