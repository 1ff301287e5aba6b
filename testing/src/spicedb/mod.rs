//! SpiceDB.

mod client;
pub mod messages;

use tower_zookie::protocol::SpiceDb;
use tower_zookie::protocol::spicedb::Engine;

use crate::sample::Sample;

pub use self::client::Client;

impl Sample for Engine {
    type Protocol = SpiceDb;

    const PACKAGE: &'static str = "authzed.api.v1";
    const CREDENTIALS: Option<&'static str> = Some("Bearer example-key");

    fn protocol(self) -> SpiceDb {
        SpiceDb::new(self)
    }

    fn is_memory(self) -> bool {
        self == Self::Memory
    }
}
