//! Makes replies: from memory, from the inner service's reply, and the layer's own errors.

mod cache_status;
mod mark;
mod notice;
mod own;
mod rejection;
mod storable;
mod stored;
mod token;

pub(super) use cache_status::CacheStatus;
pub(super) use mark::mark_bypassed;
pub(super) use own::{NoReply, OwnReply};
pub(super) use storable::Storable;
