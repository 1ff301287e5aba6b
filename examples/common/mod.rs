//! What the example servers and the sidecar share.

mod duration;
mod start;
mod stats;
mod stop;

pub(crate) use self::duration::duration;
pub(crate) use self::start::{failed, log_to_stderr};
pub(crate) use self::stats::stats;
pub(crate) use self::stop::told_to_stop;
