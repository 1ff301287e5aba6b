use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::changes::Verdict;
use crate::protocol::stored_response::StoredResponse;

/// A complete reply of the upstream.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
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

impl<'a> Reply<'a> {
    /// A reply with this status, and with these headers, body and trailers.
    pub fn new(status: StatusCode, headers: &'a HeaderMap, body: &'a Bytes, trailers: Option<&'a HeaderMap>) -> Self {
        Self {
            status,
            headers,
            body,
            trailers,
        }
    }
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
    /// The write changed nothing, because of what the store holds: what it would create exists already, or a condition does
    /// not hold. An earlier attempt of the same write may have done it.
    Unchanged,
}

/// One answer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReplyItem {
    /// The reply to this question.
    pub response: StoredResponse,
    /// Whether the cache may store the response and give it to other callers. An item's error, for example, may not be
    /// stored.
    pub store: bool,
    /// How long the upstream says that the answer stays valid, counted from now.
    pub expires_in: Option<Duration>,
    /// The verdict, so that changes which can't alter it do not end it.
    pub verdict: Verdict,
}

impl ReplyItem {
    /// A decision that the cache may store.
    pub fn decision(response: StoredResponse) -> Self {
        Self {
            response,
            store: true,
            expires_in: None,
            verdict: Verdict::Unclear,
        }
    }

    /// A response for this caller only.
    pub fn unstored(response: StoredResponse) -> Self {
        Self {
            response,
            store: false,
            expires_in: None,
            verdict: Verdict::Unclear,
        }
    }

    /// The same, with this verdict.
    #[must_use]
    pub fn verdict(mut self, verdict: Verdict) -> Self {
        self.verdict = verdict;
        self
    }

    /// The upstream says that the answer stays valid for this long, counted from now.
    #[must_use]
    pub fn expires_in(mut self, duration: Duration) -> Self {
        self.expires_in = Some(duration);
        self
    }
}
