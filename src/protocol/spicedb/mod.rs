//! SpiceDB: its gRPC API and its HTTP gateway.

mod form;
mod grpc;
mod json;
mod rejected;
mod wish;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method, Response, Uri};

use self::form::Form;
use crate::cache::{Capabilities, DefaultRead, ReadAt, ReadMode};
use crate::protocol::api::Protocol;
use crate::protocol::call::{Call, Claim, Key, Route, Unreadable};
use crate::protocol::problem::Rejection;
use crate::protocol::reply::{Reply, ReplyOutcome};
use crate::protocol::stored_response::StoredResponse;
use crate::token::spicedb::ZedTokens;
use crate::token::{TokenFormat, Zookie};

pub use crate::token::spicedb::Engine;

/// SpiceDB's API `authzed.api.v1`, over gRPC and through the HTTP gateway.
///
/// Checks are kept, also one by one out of bulks. A question is a request with all that is in it but its consistency:
/// fields that nobody knows belong to it too, and a context counts by value, in whatever order its members come. The
/// forwarded message says in its own `consistency` what is asked at; one that says so already, in the spelling that is shared, is forwarded byte for
/// byte. Replies without a `checked_at` or a known verdict are never kept.
///
/// Checks with tracing or with metadata that asks for more than the answer, expansions, lookups, listings and the
/// reflection of the schema are handed on and never kept, but answered no lower than the tokens in their carriers.
/// Watches and all that is not listed here pass untouched.
///
/// Compressed messages, bulks of over 10,000 items, a consistency that is empty, false, unknown or there twice, and a
/// context that is there twice, names a member twice or has too many levels go to the upstream as they came, or are
/// rejected where a carrier demands what their message would have to say. Calls with a limit or a cursor go as they came
/// whatever their carriers say, because a cursor demands that.
///
/// Through the gateway both spellings of a field are one, and so are a field that is null, absent or an empty text.
/// `Grpc-Metadata-` headers belong to the question. Answers are shared neither between the gateway and gRPC nor between a
/// check and a bulk, because they are spelled differently. The path belongs to the question as it is spelled: escaped or not,
/// it is recognised as the gateway does. Bodies that are neither `application/json` nor of no type at all, and those with a
/// field twice or a `consistency` in another case, go to the upstream as they came.
#[derive(Clone, Debug)]
pub struct SpiceDb {
    engine: Engine,
    format: Arc<ZedTokens>,
    read_replicas: bool,
}

impl SpiceDb {
    /// A SpiceDB on this datastore engine.
    pub fn new(engine: Engine) -> Self {
        Self {
            engine,
            format: Arc::new(ZedTokens::new(engine)),
            read_replicas: false,
        }
    }

    /// SpiceDB reads from read replicas of its PostgreSQL (`--datastore-read-replica-conn-uri`).
    ///
    /// It then does not keep its word: `at_least_as_fresh` and even `fully_consistent` can miss the preceding write, while
    /// `checked_at` says otherwise (spicedb #2525, #3260). So what its replies say of revisions is not relied on: answers are
    /// kept by age alone, for callers without a token, and requests with a token are forwarded.
    #[must_use]
    pub fn read_replicas(mut self) -> Self {
        self.read_replicas = true;
        self
    }
}

impl Protocol for SpiceDb {
    fn capabilities(&self) -> Capabilities {
        let keeps_its_word = !self.read_replicas;
        Capabilities {
            names_revisions: keeps_its_word,
            reads_repeat: keeps_its_word
                && matches!(self.engine, Engine::Postgres | Engine::CockroachDb | Engine::Spanner),
            writes_include_earlier: keeps_its_word
                && matches!(self.engine, Engine::Postgres | Engine::CockroachDb | Engine::Spanner),
            // Its head is its last write, and its other reads are labelled by the clock.
            head_may_trail_reads: self.engine == Engine::Memory,
            read_mode: ReadMode::AtLeast,
            default_read: DefaultRead::InWindow,
        }
    }

    fn format(&self) -> Arc<dyn TokenFormat> {
        self.format.clone()
    }

    fn claim(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Claim {
        match grpc::claim(method, uri, headers) {
            Claim::Pass => json::claim(method, uri),
            claim => claim,
        }
    }

    fn read(&self, route: Route, parts: &Parts, message: &Bytes, key: Key<'_>) -> Result<Call, Unreadable> {
        match Form::of(route) {
            Form::Grpc => grpc::read(route, parts, message, &key),
            Form::Json => json::read(route, parts, message, &key),
        }
    }

    fn ask(&self, call: &Call, message: &Bytes, open: &[usize], at: &ReadAt, zookie: Option<&Zookie>) -> Option<Bytes> {
        match Form::of(call.route) {
            Form::Grpc => grpc::ask(call, message, open, at, zookie),
            Form::Json => json::ask(call, message, open, at, zookie),
        }
    }

    fn states_freshness(&self, _: Route) -> bool {
        true
    }

    fn timeout(&self, route: Route, parts: &HeaderMap) -> Option<Duration> {
        match Form::of(route) {
            Form::Grpc => grpc::timeout(parts),
            Form::Json => json::timeout(parts),
        }
    }

    fn learn(&self, call: &Call, message: &Bytes, asked: &[usize], reply: &Reply<'_>) -> ReplyOutcome {
        match Form::of(call.route) {
            Form::Grpc => grpc::learn(call, message, asked, reply),
            Form::Json => json::learn(call, message, asked, reply),
        }
    }

    fn merge(
        &self,
        call: &Call,
        message: &Bytes,
        answers: &[Option<&StoredResponse>],
        zookie: Option<&Zookie>,
    ) -> StoredResponse {
        match Form::of(call.route) {
            Form::Grpc => grpc::merge(message, answers, zookie),
            Form::Json => json::merge(answers, zookie),
        }
    }

    fn reject(&self, route: Route, _: &HeaderMap, why: &Rejection) -> Response<Bytes> {
        match Form::of(route) {
            Form::Grpc => grpc::reject(why),
            Form::Json => json::reject(why),
        }
    }

    fn echoed(&self, route: Route) -> &[HeaderName] {
        match Form::of(route) {
            // Over gRPC it is echoed among the trailers.
            Form::Grpc => &[],
            Form::Json => json::echoed(),
        }
    }
}
