//! Permify: its gRPC API and its REST gateway.

mod feed;
mod meaning;
mod operations;

use crate::cache::DefaultRead;
use crate::protocol::delegate::delegate;
use crate::protocol::permify::meaning::Meaning;
use crate::protocol::system::{BothWires, over_both};

pub use crate::token::permify::Engine;

/// Permify's API `base.v1`, over gRPC and through its REST gateway.
///
/// **Stored:** answers to checks and expansions, and the allowed items of a bulk check. The denied items of a bulk are
/// for their caller only, because Permify also denies an item whose check has failed. An answer by the latest schema
/// ends with the window. The forwarded message has the token of the revision that the layer asks at, or no token for
/// head. A message that already has it is forwarded byte for byte.
///
/// **Never stored:** lookups, subject permissions and listings of data. The layer asks for them at a revision of this
/// window that covers the tokens in their carriers, or at head. Calls with a continuous token are forwarded unmodified.
/// The layer learns the tokens of data writes. A schema write and the deletion of a tenant end all answers. Watches,
/// bundles and all calls that are not listed here pass untouched.
///
/// **Over gRPC**, a question is everything in a request except its snap token. Unknown fields belong to it too.
/// Contextual tuples and attributes are keyed as their bytes in the message, and the context's data by its value. A
/// message is not readable if it is compressed, is a bulk of over 100 items, or repeats its metadata, its snap token,
/// its context or the context's data. The layer forwards such a request unmodified, or rejects it if a carrier demands
/// a freshness that the message would have to state.
///
/// **Through the gateway**, a question is the path as it is spelled, the `Grpc-Metadata-` headers, and everything in
/// the body except its snap token. The body is keyed by its value, in any order of members, and numbers by their text,
/// or in a context's data as doubles.
/// The layer also reads `snap_token`, `schema_version` and `continuous_token` in camelCase. It forwards a `snapToken`
/// as `snap_token`, because the newest Permify ignores the other name and would answer at head. For the same reason a
/// `schemaVersion` pins no schema. Permify rejects a check without `metadata`; the layer forwards it and stores
/// nothing. A body is forwarded unmodified if its content type is present but not `application/json`, if it repeats a
/// field, if it has `metadata` or the token's name in another case, or if it is a bulk of over 100 items.
///
/// ```
/// use tower_zookie::protocol::Permify;
/// use tower_zookie::protocol::permify::Engine;
/// use tower_zookie::{InvalidSetting, ZookieLayer};
///
/// fn layer() -> Result<ZookieLayer<Permify>, InvalidSetting> {
///     ZookieLayer::builder(Permify::new(Engine::Postgres).probe_by_writing("probes")).build()
/// }
/// # layer().unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Permify(BothWires<Meaning>);

impl Permify {
    /// A Permify on this database engine.
    pub fn new(engine: Engine) -> Self {
        Self(over_both(Meaning::new(engine)))
    }

    /// Asks for the token of head with a write that changes nothing: `Data.Delete` in this tenant, of an entity that
    /// does not exist. Use a tenant that has no other purpose. Permify has no other call that returns the token of
    /// head.
    ///
    /// The layer makes such a write when no write within the window covers a check's snap token. It uses that check's
    /// credentials, which have to allow the write, and makes at most one write per
    /// [`probe_interval`](crate::cache::Settings::probe_interval). So the layer covers the tokens of other writers, and
    /// has a window even without writes. Each write adds a row to the table `transactions`. Permify's garbage
    /// collection removes the row if the tenant was created.
    #[must_use]
    pub fn probe_by_writing(self, tenant: &str) -> Self {
        self.with(|meaning| meaning.probed = Some(tenant.into()))
    }

    /// Lets answers to reads without a token be as old as the window allows. By default the layer reads them at head,
    /// like Permify itself.
    #[must_use]
    pub fn window_reads_without_token(self) -> Self {
        self.with(|meaning| meaning.default_read = DefaultRead::InWindow)
    }

    fn with(self, set: impl FnOnce(&mut Meaning)) -> Self {
        let mut meaning = self.0.0.system;
        set(&mut meaning);
        Self(over_both(meaning))
    }
}

delegate!([] Permify, api => api.0);
