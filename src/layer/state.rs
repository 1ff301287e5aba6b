use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;

use crate::cache::{DecisionCache, FingerprintBuilder};
use crate::layer::credentials::Credentials;
use crate::layer::headers::Overrides;
use crate::layer::schema_ends::SchemaEnds;
use crate::layer::seen::Seen;
use crate::objects::ObjectFloors;
use crate::protocol::StoredResponse;
use crate::token::{Carriers, TokenMemo};
use crate::warnings::Warnings;

/// What all clones of a layer and its services share.
#[derive(Debug)]
pub(super) struct LayerState<P> {
    pub(super) protocol: Arc<P>,
    /// What the key of every request begins with.
    pub(super) key_prefix: FingerprintBuilder,
    pub(super) cache: DecisionCache<StoredResponse>,
    pub(super) memo: TokenMemo,
    pub(super) carriers: Carriers,
    pub(super) credentials: Credentials,
    /// Headers that the answer depends on, beside those that the layer knows.
    pub(super) key_headers: Vec<HeaderName>,
    /// Headers that make a request unreadable, because they may change its path or method.
    pub(super) overrides: Overrides,
    pub(super) schema_ends: Arc<SchemaEnds>,
    pub(super) warnings: Warnings,
    pub(super) seen: Seen,
    /// What is remembered of objects, if anything.
    pub(super) objects: Option<Arc<ObjectFloors>>,
    pub(super) settings: LayerSettings,
}

#[derive(Clone, Debug)]
pub(super) struct LayerSettings {
    pub(super) max_request_body: usize,
    pub(super) max_reply_body: usize,
    pub(super) read_timeout: Duration,
    pub(super) require_token: bool,
    pub(super) forward_bad_tokens: bool,
    pub(super) mix_revisions: bool,
    pub(super) old_tokens: OldTokens,
}

/// What becomes of a request with a token that is older than allowed: see
/// [`ZookieLayerBuilder::oldest_token`](crate::ZookieLayerBuilder::oldest_token).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OldTokens {
    /// It is rejected, with an error that says so.
    #[default]
    Reject,
    /// It is asked at head, as if it had no token. One at an exact snapshot is rejected.
    AskAtHead,
}
