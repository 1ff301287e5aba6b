use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;

use crate::cache::{Capabilities, DefaultRead, ReadMode};
use crate::changes::Verdict;
use crate::protocol::operation::Operation;
use crate::protocol::permify::operations::{
    ALLOWED, ASKS, ATTRIBUTE_FILTER, CAN, CHECK_COUNT, CHECK_METADATA, DENIED, ENTITY_IDS, ENTITY_TYPE, FILTER_ENTITY,
    OPERATIONS, RELATED, TENANT, TUPLE_FILTER, delete,
};
use crate::protocol::system::{Asks, Related, System};
use crate::protocol::wire::{Put, Wire};
use crate::token::TokenFormat;
use crate::token::permify::{Engine, SnapTokens};

/// What Permify's API means.
///
/// The newest build ignores `snapToken` and `schemaVersion` as unknown members, and so answers at head and by the
/// latest schema.
#[derive(Clone, Debug)]
pub(super) struct Meaning {
    engine: Engine,
    pub(super) format: Arc<SnapTokens>,
    pub(super) default_read: DefaultRead,
    /// The tenant in which a probe writes.
    pub(super) probed: Option<Arc<str>>,
}

impl Meaning {
    pub(super) fn new(engine: Engine) -> Self {
        Self {
            engine,
            format: Arc::new(SnapTokens::new(engine)),
            default_read: DefaultRead::AtHead,
            probed: None,
        }
    }
}

impl System for Meaning {
    const NAME: &'static str = "permify";
    const OPERATIONS: &'static [Operation] = OPERATIONS;
    const BASE: &'static str = "/v1/tenants/{tenant_id}";
    const MAX_ITEMS: usize = 100;
    const RELATED: Related = RELATED;
    const ASKS: Asks = ASKS;

    fn verdict(verdict: usize) -> Verdict {
        if verdict == ALLOWED { Verdict::Yes } else { Verdict::No }
    }

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

    /// A read without a token is at head.
    fn store_staleness(&self) -> Duration {
        Duration::ZERO
    }

    fn is_nothing_written(token: &str) -> bool {
        token == "noop"
    }

    /// Permify also denies an item whose check failed.
    fn shares_item(verdict: usize) -> bool {
        verdict == ALLOWED
    }

    /// A denial that needed no check.
    fn unanswered<W: Wire>(_: Put<'_>) -> Bytes {
        let (number, name) = DENIED;
        let metadata = [(&CHECK_COUNT, Put::Number(0))];
        W::spell(&[
            (&CAN, Put::Choice(number, name)),
            (&CHECK_METADATA, Put::Message(&metadata)),
        ])
    }

    fn can_probe(&self) -> bool {
        self.probed.is_some()
    }

    /// Deletes what does not exist. The reply still has a token. With an empty filter Permify would not write, and its
    /// reply would have no token.
    fn probe<W: Wire>(&self, parts: &mut Parts) -> Option<(usize, Bytes)> {
        let tenant = self.probed.as_deref()?;
        let delete = delete()?;
        let ids = [Put::Text("probe")];
        let entity = [(&ENTITY_TYPE, Put::Text("zookie")), (&ENTITY_IDS, Put::List(&ids))];
        let nothing = [(&FILTER_ENTITY, Put::Message(&entity))];
        let fields = [
            (&TUPLE_FILTER, Put::Message(&nothing)),
            (&ATTRIBUTE_FILTER, Put::Message(&[])),
        ];
        let body = W::call_instead(parts, &OPERATIONS[delete], Self::BASE, Some((&TENANT, tenant)), &fields)?;
        Some((delete, body))
    }
}
