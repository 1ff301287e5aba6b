//! Permify: its gRPC API and its REST gateway.

mod form;
mod grpc;
mod rest;
mod snap_token;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, Response, Uri};

use self::form::Form;
use crate::cache::{Capabilities, DefaultRead, ReadAt, ReadMode};
use crate::protocol::api::Protocol;
use crate::protocol::call::{Call, Claim, Key, Probe, Received, Route, Unreadable};
use crate::protocol::problem::Rejection;
use crate::protocol::reply::{Reply, ReplyOutcome};
use crate::protocol::stored_response::StoredResponse;
use crate::token::permify::SnapTokens;
use crate::token::{TokenFormat, Zookie};

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
/// the body except its snap token. The body is keyed by its value, in any order of members, and numbers by their text.
/// The layer also reads `snap_token`, `schema_version` and `continuous_token` in camelCase. It forwards a `snapToken`
/// as `snap_token`, because the newest Permify ignores the other name and would answer at head. For the same reason a
/// `schemaVersion` pins no schema. Permify rejects a check without `metadata`; the layer forwards it and stores
/// nothing. A body is forwarded unmodified if its content type is present but not `application/json`, if it repeats a
/// field, if it has `metadata` or the token's name in another case, or if it is a bulk of over 100 items.
#[derive(Clone, Debug)]
pub struct Permify {
    engine: Engine,
    format: Arc<SnapTokens>,
    default_read: DefaultRead,
    probed: Option<Arc<str>>,
}

impl Permify {
    /// A Permify on this database engine.
    pub fn new(engine: Engine) -> Self {
        Self {
            engine,
            format: Arc::new(SnapTokens::new(engine)),
            default_read: DefaultRead::AtHead,
            probed: None,
        }
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
    pub fn probe_by_writing(mut self, tenant: &str) -> Self {
        self.probed = Some(tenant.into());
        self
    }

    /// Lets answers to reads without a token be as old as the window allows. By default the layer reads them at head,
    /// like Permify itself.
    #[must_use]
    pub fn window_reads_without_token(mut self) -> Self {
        self.default_read = DefaultRead::InWindow;
        self
    }
}

impl Protocol for Permify {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            reads_repeat: self.engine == Engine::Postgres,
            // PostgreSQL takes the snapshot of a write when the write begins.
            writes_include_earlier: true,
            // On PostgreSQL head is the highest transaction id, whose snapshot may miss a lower one that committed later.
            head_may_trail_reads: self.engine == Engine::Postgres,
            read_mode: ReadMode::Exactly,
            default_read: self.default_read,
            ..Capabilities::unversioned()
        }
    }

    fn format(&self) -> Arc<dyn TokenFormat> {
        self.format.clone()
    }

    fn claim(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Claim {
        match grpc::claim(method, uri, headers) {
            Claim::Pass => rest::claim(method, uri),
            claim => claim,
        }
    }

    fn read(&self, route: Route, parts: &Parts, message: &Bytes, key: Key<'_>) -> Result<Call, Unreadable> {
        match Form::of(route) {
            Form::Grpc => grpc::read(route, parts, message, &key),
            Form::Rest => rest::read(route, parts, message, &key),
        }
    }

    fn ask(&self, received: Received<'_>, open: &[usize], at: &ReadAt, zookie: Option<&Zookie>) -> Option<Bytes> {
        match Form::of(received.route) {
            Form::Grpc => grpc::ask(received, open, at, zookie),
            Form::Rest => rest::ask(received, open, at, zookie),
        }
    }

    fn states_freshness(&self, _: Route) -> bool {
        true
    }

    fn can_probe(&self) -> bool {
        self.probed.is_some()
    }

    fn probe(&self, route: Route, parts: &mut Parts) -> Option<Probe> {
        let tenant = self.probed.as_deref()?;
        match Form::of(route) {
            Form::Grpc => grpc::probe(parts, tenant),
            Form::Rest => rest::probe(parts, tenant),
        }
    }

    fn watch(&self, tenant: &str) -> Option<(Parts, Bytes)> {
        grpc::watch(tenant)
    }

    fn feed_token(&self, message: &[u8]) -> Option<String> {
        self.format.canonical(grpc::feed_token(message)?)
    }

    fn timeout(&self, route: Route, parts: &HeaderMap) -> Option<Duration> {
        match Form::of(route) {
            Form::Grpc => grpc::timeout(parts),
            Form::Rest => rest::timeout(parts),
        }
    }

    fn learn(&self, received: Received<'_>, asked: &[usize], reply: &Reply<'_>) -> ReplyOutcome {
        match Form::of(received.route) {
            Form::Grpc => grpc::learn(received, asked, reply),
            Form::Rest => rest::learn(received, asked, reply),
        }
    }

    fn merge(&self, received: Received<'_>, answers: &[Option<&StoredResponse>], _: Option<&Zookie>) -> StoredResponse {
        match Form::of(received.route) {
            Form::Grpc => grpc::merge(answers),
            Form::Rest => rest::merge(answers),
        }
    }

    fn reject(&self, route: Route, _: &HeaderMap, why: &Rejection) -> Response<Bytes> {
        match Form::of(route) {
            Form::Grpc => grpc::reject(why),
            Form::Rest => rest::reject(why),
        }
    }
}
