//! SpiceDB: its gRPC API and its HTTP gateway.

mod consistency;
mod form;
mod grpc;
mod json;
mod rejected;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method, Response, Uri};

use self::form::Form;
use crate::cache::{Capabilities, DefaultRead, ReadAt, ReadMode};
use crate::protocol::api::Protocol;
use crate::protocol::call::{Call, Claim, Key, Received, Route, Unreadable};
use crate::protocol::problem::Rejection;
use crate::protocol::reply::{Reply, ReplyOutcome};
use crate::protocol::stored_response::StoredResponse;
use crate::token::spicedb::ZedTokens;
use crate::token::{TokenFormat, Zookie};

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

    /// Set this if SpiceDB reads from read replicas of its PostgreSQL (`--datastore-read-replica-conn-uri`).
    ///
    /// SpiceDB's replies are then wrong about revisions: `at_least_as_fresh` and even `fully_consistent` can miss the
    /// preceding write, while `checked_at` claims to include it (spicedb #2525, #3260). So the layer does not rely on
    /// these revisions. It stores answers by age alone, for callers without a token, and forwards requests with a
    /// token.
    #[must_use]
    pub fn read_replicas(mut self) -> Self {
        self.read_replicas = true;
        self
    }
}

impl Protocol for SpiceDb {
    fn capabilities(&self) -> Capabilities {
        let revisions_are_right = !self.read_replicas;
        Capabilities {
            names_revisions: revisions_are_right,
            reads_repeat: revisions_are_right
                && matches!(self.engine, Engine::Postgres | Engine::CockroachDb | Engine::Spanner),
            writes_include_earlier: revisions_are_right
                && matches!(self.engine, Engine::Postgres | Engine::CockroachDb | Engine::Spanner),
            // In memory, head is the last write, while other reads have a revision from the clock.
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

    fn ask(&self, received: Received<'_>, open: &[usize], at: &ReadAt, zookie: Option<&Zookie>) -> Option<Bytes> {
        match Form::of(received.route) {
            Form::Grpc => grpc::ask(received, open, at, zookie),
            Form::Json => json::ask(received, open, at, zookie),
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

    fn learn(&self, received: Received<'_>, asked: &[usize], reply: &Reply<'_>) -> ReplyOutcome {
        match Form::of(received.route) {
            Form::Grpc => grpc::learn(received, asked, reply),
            Form::Json => json::learn(received, asked, reply),
        }
    }

    fn merge(
        &self,
        received: Received<'_>,
        answers: &[Option<&StoredResponse>],
        zookie: Option<&Zookie>,
    ) -> StoredResponse {
        match Form::of(received.route) {
            Form::Grpc => grpc::merge(received.message, answers, zookie),
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
            // SpiceDB echoes it in the trailers over gRPC.
            Form::Grpc => &[],
            Form::Json => json::echoed(),
        }
    }
}
