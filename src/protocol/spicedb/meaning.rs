use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::cache::{Capabilities, DefaultRead, ReadMode};
use crate::changes::Verdict;
use crate::protocol::kit::grpc::Code;
use crate::protocol::operation::Operation;
use crate::protocol::spicedb::operations::{ASKS, ERROR, OPERATIONS, RELATED, REQUEST, STATUS};
use crate::protocol::system::{Asks, Related, System};
use crate::protocol::wire::{Put, Wire};
use crate::token::TokenFormat;
use crate::token::spicedb::{Engine, ZedTokens};

/// The prefix of SpiceDB's own metadata. Nearly all of it asks for more than the answer.
const METADATA: &str = "io.spicedb.";

/// The keys in which writes must overlap. A check does not read them.
const OVERLAP: &str = "io.spicedb.requestoverlapkey";

const DISPATCHED: HeaderName = HeaderName::from_static("io.spicedb.respmeta.dispatchedoperationscount");
const CACHED: HeaderName = HeaderName::from_static("io.spicedb.respmeta.cachedoperationscount");

/// What SpiceDB's API means.
#[derive(Clone, Debug)]
pub(super) struct Meaning {
    pub(super) engine: Engine,
    pub(super) format: Arc<ZedTokens>,
    pub(super) read_replicas: bool,
}

impl Meaning {
    pub(super) fn new(engine: Engine) -> Self {
        Self {
            engine,
            format: Arc::new(ZedTokens::new(engine)),
            read_replicas: false,
        }
    }
}

impl System for Meaning {
    const NAME: &'static str = "spicedb";
    const OPERATIONS: &'static [Operation] = OPERATIONS;
    const BASE: &'static str = "/v1";
    const MAX_ITEMS: usize = 10_000;
    const RELATED: Related = RELATED;
    const ASKS: Asks = ASKS;

    fn verdict(verdict: usize) -> Verdict {
        match verdict {
            0 => Verdict::No,
            1 => Verdict::Yes,
            _ => Verdict::Unclear,
        }
    }

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

    /// The quantization's 5 s and 10 % of it, and where reads go to followers their delay of 4.8 s.
    fn store_staleness(&self) -> Duration {
        match self.engine {
            Engine::CockroachDb | Engine::Spanner => Duration::from_millis(10_300),
            _ => Duration::from_millis(5_500),
        }
    }

    fn echoed() -> &'static [HeaderName] {
        static REQUEST_ID: [HeaderName; 1] = [HeaderName::from_static("x-request-id")];
        &REQUEST_ID
    }

    fn asks_for_more(metadata: &str) -> bool {
        metadata.starts_with(METADATA) && metadata != OVERLAP
    }

    /// SpiceDB's errors about a question have other codes or messages.
    fn rejects_revision(code: Code, message: &[u8]) -> bool {
        match code {
            Code::OutOfRange => true,
            Code::Unknown => message.starts_with(b"ZedToken specified references a different datastore instance"),
            Code::InvalidArgument => message == b"invalid revision requested",
            _ => false,
        }
    }

    /// SpiceDB dispatched nothing for a reply from the cache.
    fn add_trailers(trailers: &mut HeaderMap) {
        trailers.insert(DISPATCHED, HeaderValue::from_static("0"));
        trailers.insert(CACHED, HeaderValue::from_static("1"));
    }

    /// An error.
    fn unanswered<W: Wire>(item: Put<'_>) -> Bytes {
        let [code, message, details] = &STATUS;
        let status = [
            (code, Put::Number(Code::Unavailable as u64)),
            (message, Put::Text("the upstream did not answer this item")),
            (details, Put::List(&[])),
        ];
        W::spell(&[(&REQUEST, item), (&ERROR, Put::Message(&status))])
    }
}
