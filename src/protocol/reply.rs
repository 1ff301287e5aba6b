use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::protocol::stored_response::StoredResponse;

/// A complete reply of the upstream.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its body.
    pub body: &'a Bytes,
    /// Its trailers.
    pub trailers: Option<&'a HeaderMap>,
}

/// What a reply says.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ReplyOutcome {
    /// Nothing that the cache may store.
    Nothing,
    /// Answers, in the order of the questions asked; fewer where the API stopped early.
    Answers {
        /// The answers.
        items: Vec<ReplyItem>,
        /// The token in the message. The layer reads a token in a carrier header itself.
        token: Option<String>,
    },
    /// The write succeeded.
    Wrote {
        /// The token in the message. The layer reads a token in a carrier header itself.
        token: Option<String>,
        /// The schema changed. Every answer may have changed with it.
        schema: bool,
    },
    /// The upstream rejected the revision of the request: it has expired, is not reached yet, or belongs to another
    /// store.
    RevisionRejected,
    /// The write certainly changed nothing.
    NotWritten,
}

/// One answer.
#[derive(Clone, Debug)]
pub struct ReplyItem {
    /// The reply to this question.
    pub response: StoredResponse,
    /// Whether the cache may store the response and give it to other callers. An item's error, for example, may not be
    /// stored.
    pub store: bool,
    /// How long the upstream says that the answer stays valid, counted from now.
    pub expires_in: Option<Duration>,
}

impl ReplyItem {
    /// A decision that the cache may store.
    pub fn decision(response: StoredResponse) -> Self {
        Self {
            response,
            store: true,
            expires_in: None,
        }
    }

    /// A response for this caller only.
    pub fn unstored(response: StoredResponse) -> Self {
        Self {
            response,
            store: false,
            expires_in: None,
        }
    }
}
