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
use crate::protocol::call::{Call, Claim, Key, Route, Unreadable};
use crate::protocol::problem::Rejection;
use crate::protocol::reply::{Reply, ReplyOutcome};
use crate::protocol::stored_response::StoredResponse;
use crate::token::permify::SnapTokens;
use crate::token::{TokenFormat, Zookie};

pub use crate::token::permify::Engine;

/// Permify's API `base.v1`, over gRPC and through its REST gateway.
///
/// Checks and expansions are kept, and of a bulk check what is allowed, item by item: Permify denies an item also where
/// its check has failed, so a bulk's denials are for their caller only. What leaves the schema's version to the latest
/// ends with the window. The forwarded message bears the token that is asked at, and none at head; one that does so
/// already is forwarded unmodified, byte for byte.
///
/// Lookups, subject permissions and listings of data are handed on and never kept, but asked no lower than the tokens in
/// their carriers: at a revision of this window that covers them, or at head; those with a continuous token go as they came. Writes of data teach their tokens, and writes of a
/// schema and the end of a tenant end all answers. Watches, bundles and all that is not listed here pass untouched.
///
/// Over gRPC a question is a request with all that is in it but its snap token: fields that nobody knows belong to it
/// too, contextual tuples and attributes as they stand there, and the context's data by value. Compressed messages, bulks
/// of over 100 items, and metadata, a snap token, a context or its data that is there twice go to the upstream as they
/// came, or are rejected where a carrier demands what their message would have to say.
///
/// Through the gateway a question is the path as it is spelled, escaped or not, the `Grpc-Metadata-` headers, and all of the body
/// but its snap token: by value, in whatever order members come, numbers by their text. `snap_token`, `schema_version` and
/// `continuous_token` are read in camelCase too. A `snapToken` is forwarded as `snap_token`, because the newest Permify
/// ignores the other name and would answer at head; a `schemaVersion` pins no schema, for the same reason. Checks without
/// `metadata`, which Permify rejects, are handed on and never kept. Bodies that are neither `application/json` nor of no
/// type at all, those with a field twice or with `metadata` or the token's name in another case, and bulks of over 100 items
/// go to the upstream as they came.
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

    /// Asks for the head's token by a write that changes nothing: `Data.Delete` in this tenant, which nobody else uses, of
    /// an entity that is not there. No other call of Permify's tells how far the store has come.
    ///
    /// Such a write is made when a check's snap token is covered by nothing that was written within the window, with that
    /// check's credentials, which have to allow it; at most one in [`probe_interval`](crate::cache::Settings::probe_interval).
    /// So the tokens of other writers are covered, and there is a window even where no one writes. Each adds a row to the table
    /// `transactions`, which Permify's garbage collection takes away again if the tenant was created.
    #[must_use]
    pub fn probe_by_writing(mut self, tenant: &str) -> Self {
        self.probed = Some(tenant.into());
        self
    }

    /// Answers reads without a token as old as the window allows. By default they are read at head, as Permify itself
    /// does.
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
            // A write's snapshot is taken when it begins.
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

    fn ask(&self, call: &Call, message: &Bytes, open: &[usize], at: &ReadAt, zookie: Option<&Zookie>) -> Option<Bytes> {
        match Form::of(call.route) {
            Form::Grpc => grpc::ask(call, message, open, at, zookie),
            Form::Rest => rest::ask(call, message, open, at, zookie),
        }
    }

    fn states_freshness(&self, _: Route) -> bool {
        true
    }

    fn can_probe(&self) -> bool {
        self.probed.is_some()
    }

    fn probe(&self, route: Route, parts: &mut Parts) -> Option<(Call, Bytes)> {
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

    fn learn(&self, call: &Call, _: &Bytes, asked: &[usize], reply: &Reply<'_>) -> ReplyOutcome {
        match Form::of(call.route) {
            Form::Grpc => grpc::learn(call, asked, reply),
            Form::Rest => rest::learn(call, asked, reply),
        }
    }

    fn merge(&self, call: &Call, _: &Bytes, answers: &[Option<&StoredResponse>], _: Option<&Zookie>) -> StoredResponse {
        match Form::of(call.route) {
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
