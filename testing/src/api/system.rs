use std::fmt::Debug;

use bytes::Bytes;
use serde_json::Value;
use tower_zookie::cache::ReadAt;
use tower_zookie::consistency::Consistency;
use tower_zookie::protocol::Protocol;

use crate::api::case::Wire;
use crate::api::table::{Does, Operation};

/// The freshness that a message states. Where a message has only a token, the token is exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stated {
    Nothing,
    Minimal,
    AtLeast(&'static str),
    Exactly(&'static str),
    Fully,
}

/// What the messages of one system mean.
pub trait System: Debug + Sync {
    fn name(&self) -> &'static str;
    fn protocol(&self) -> &'static dyn Protocol;
    fn operations(&self) -> &'static [Operation];
    /// What the paths of all operations begin with, over gRPC and over HTTP.
    fn prefixes(&self) -> [&'static str; 2];
    /// May this user view this document?
    fn question(&self, document: &str, user: &str) -> Value;
    /// What a request has beside its questions, except its freshness.
    fn beside(&self, wire: Wire) -> Value;
    /// A message that uses all fields of an operation, except those that make it another one.
    fn everything(&self, does: Does, wire: Wire) -> Value;
    /// Where a message has the values for a caveat or rule.
    fn context(&self, does: Does) -> &'static str;
    /// Where a message states its freshness.
    fn freshness(&self) -> &'static str;
    /// Every freshness that a message can state: at first nothing, at last one with a token.
    fn states(&self) -> &'static [Stated];
    /// How a message states it.
    fn stated(&self, stated: Stated) -> Option<Value>;
    /// What the protocol reads of it.
    fn understood(&self, stated: Stated) -> (Option<Consistency>, Option<Bytes>);
    /// What a forwarded message states that stated this. If both are the same, it is forwarded unmodified.
    fn forwarded(&self, wire: Wire, stated: Stated, at: &ReadAt, token: Option<&'static str>) -> Stated;
    /// The most questions of one bulk.
    fn most_questions(&self) -> usize;
    /// A token in a reply.
    fn token(&self, token: &str) -> Value;
    /// The reply to one question, at the revision `t` where replies name one.
    fn answer(&self, does: Does, allowed: bool) -> Value;
    /// The reply to a bulk of these questions, at the revision `t` where replies name one.
    fn answers(&self, answers: &[(Value, bool)]) -> Value;
    /// Whether the cache stores an item's denial.
    fn stores_denials(&self) -> bool;
}
