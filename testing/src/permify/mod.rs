//! Permify.

mod call;
mod client;
pub mod database;
pub mod messages;

use tower_zookie::protocol::Permify;
use tower_zookie::protocol::permify::Engine;

use crate::sample::Sample;

pub use self::call::call;
pub use self::client::{Client, HOLD};

impl Sample for Engine {
    type Protocol = Permify;

    const PACKAGE: &'static str = "base.v1";
    const CREDENTIALS: Option<&'static str> = None;

    fn protocol(self) -> Permify {
        Permify::new(self)
    }

    fn is_memory(self) -> bool {
        self == Self::Memory
    }
}
