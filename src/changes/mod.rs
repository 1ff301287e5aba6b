//! Change feeds: a store that reports its changes makes "true at this revision" into "true from this revision through the
//! frontier".

mod change;
mod concern;
mod era;
mod feed;
mod follow;
mod following;
mod in_order;
mod names;
mod place;
mod placed;
mod question;
mod relevance;
mod schema_reader;
mod stamps;
mod state;
#[cfg(feature = "store")]
mod store_feed;
mod stream_feed;
mod structure_reader;
#[cfg(test)]
mod tests;
mod timeline;

pub use change::{Change, Effect, Object, Subject};
pub use feed::{ChangeFeed, Event, FeedError, Opened, Pending, SchemaText, TupleFilter};
pub use question::{Question, Verdict};
pub use state::FeedStats;
#[cfg(feature = "store")]
pub use store_feed::StoreFeed;
pub use stream_feed::StreamFeed;

pub(crate) use era::Memory;
pub(crate) use follow::Follower;
pub(crate) use following::Following;
pub(crate) use placed::{Examined, Placed};
pub(crate) use state::{FeedCounters, Notice};
