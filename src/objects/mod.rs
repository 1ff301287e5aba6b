//! Tokens remembered per object, for applications that can't carry them.
//!
//! After a write, before its reply is passed on, the layer records the write's token for every object that the write touched:
//! resources and subjects. A check without a token then gets the join of the tokens of its resource, of its subject, of their
//! [`Ancestors`], and of the writes that can't be pinned to objects, as its floor. So an application reads its own writes, and
//! those of others, without changes.
//!
//! [`Objects`] has the settings; [`ZookieLayerBuilder::objects`](crate::ZookieLayerBuilder::objects) takes them. The tokens
//! are in an [`ObjectTokens`], which all replicas share.

mod ancestors;
mod batches;
mod counters;
mod error;
mod floors;
mod followed;
mod key;
mod known;
mod lookups;
mod memory;
#[cfg(feature = "objects-nats")]
mod nats;
mod owned;
#[cfg(feature = "objects-postgres")]
mod postgres;
mod record;
mod records;
mod settings;
mod store;

pub use ancestors::Ancestors;
pub use error::ObjectsError;
pub use key::ObjectKey;
pub use memory::MemoryObjects;
#[cfg(feature = "objects-nats")]
pub use nats::{NatsObjects, NatsObjectsBuilder};
#[cfg(feature = "objects-postgres")]
pub use postgres::{PostgresObjects, PostgresObjectsBuilder};
pub use record::{Record, Update};
pub use settings::{Objects, ObjectsMode};
pub use store::{FeedBatch, ObjectFeed, ObjectTokens, Reply};

pub(crate) use floors::{AboutObjects, Heard, ObjectFloors};
pub(crate) use known::{Picture, Remembered, Strict};
pub(crate) use owned::OwnedObject;
