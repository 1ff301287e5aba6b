//! What the example servers and the sidecar share.

mod address;
mod duration;
mod percent;
mod signing;
mod start;
mod stats;
mod stop;

pub use self::address::address;
pub use self::duration::duration;
pub use self::percent::percent;
pub use self::signing::{BadKeys, signing_from};
pub use self::start::{failed, log_json_to_stderr, log_to_stderr};
pub use self::stats::stats;
pub use self::stop::{outlive_hangups, told_to_stop};
