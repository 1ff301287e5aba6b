//! Tokens remembered per object, for applications that can't carry them.
//!
//! After a write, before its reply is passed on, the layer records the write's token for every object that the write touched.
//! A check without a token then gets the join of the tokens of its resource and its subject as its floor.

mod error;
mod key;
mod memory;
mod record;
mod store;

pub use error::ObjectsError;
pub use key::ObjectKey;
pub use memory::MemoryObjects;
pub use record::{Record, Update};
pub use store::{FeedBatch, ObjectFeed, ObjectTokens, Reply};
