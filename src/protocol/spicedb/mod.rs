//! SpiceDB: its gRPC API and its HTTP gateway.

mod feed;
mod meaning;
mod operations;

use crate::protocol::delegate::delegate;
use crate::protocol::spicedb::meaning::Meaning;
use crate::protocol::system::{BothWires, over_both};

pub use crate::token::spicedb::Engine;

/// SpiceDB's API `authzed.api.v1`, over gRPC and through the HTTP gateway.
///
/// **Stored:** answers to checks, and to each item of a bulk. A question is everything in a request except its
/// consistency: unknown fields belong to it too. A context is keyed by its value, in any order of its members. The
/// forwarded message states in its own `consistency` the revision that the layer asks at. A message that already states
/// this, in the spelling that the layer would write, is forwarded byte for byte. A reply without a `checked_at` or
/// without a known verdict is never stored.
///
/// **Never stored:** checks with tracing or with metadata that asks for more than the answer, expansions, lookups,
/// listings and the reflection of the schema. The layer forwards them, and their answers cover the tokens in their
/// carriers. Watches and all calls that are not listed here pass untouched.
///
/// **Not readable:** a compressed message, a bulk of over 10,000 items, a consistency that is empty, false, unknown or
/// repeated, and a context that is repeated, repeats a member or is nested too deep. The layer forwards such a request
/// unmodified, or rejects it if a carrier demands a freshness that the message would have to state. A call with a limit
/// or a cursor is forwarded unmodified whatever its carriers demand, because SpiceDB rejects a cursor if the request
/// has changed.
///
/// **Through the gateway**, both spellings of a field are the same field, and a field that is null, absent or empty
/// text is the same value. `Grpc-Metadata-` headers belong to the question. Answers are not shared between the gateway
/// and gRPC, nor between a check and a bulk, because their texts differ. The layer recognises the paths that the
/// gateway recognises, escaped or not; the path as it is spelled belongs to the question. A body is forwarded
/// unmodified if its content type is present but not `application/json`, if it repeats a field, or if it has
/// `consistency` in another case.
///
/// ```
/// use tower_zookie::protocol::SpiceDb;
/// use tower_zookie::protocol::spicedb::Engine;
/// use tower_zookie::{InvalidSetting, ZookieLayer};
///
/// fn layer() -> Result<ZookieLayer<SpiceDb>, InvalidSetting> {
///     ZookieLayer::builder(SpiceDb::new(Engine::CockroachDb)).build()
/// }
/// # layer().unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct SpiceDb(BothWires<Meaning>);

impl SpiceDb {
    /// A SpiceDB on this datastore engine.
    pub fn new(engine: Engine) -> Self {
        Self(over_both(Meaning::new(engine)))
    }

    /// Set this if SpiceDB reads from read replicas of its PostgreSQL (`--datastore-read-replica-conn-uri`).
    ///
    /// SpiceDB's replies are then wrong about revisions: `at_least_as_fresh` and even `fully_consistent` can miss the
    /// preceding write, while `checked_at` claims to include it (spicedb #2525, #3260). So the layer does not rely on
    /// these revisions. It stores answers by age alone, for callers without a token, and forwards requests with a
    /// token.
    #[must_use]
    pub fn read_replicas(self) -> Self {
        let mut meaning = self.0.0.system;
        meaning.read_replicas = true;
        Self(over_both(meaning))
    }
}

delegate!([] SpiceDb, api => api.0);
