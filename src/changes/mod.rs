//! Change feeds: a store that reports its changes makes "true at this revision" into "true from this revision through the
//! frontier".

mod change;
mod feed;

pub use change::{Change, Effect, Object, Subject};
pub use feed::{ChangeFeed, Event, FeedError, Opened, Pending, SchemaText, TupleFilter};
