use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::protocol::stored_response::StoredResponse;

/// A reply of the upstream, read whole.
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
    /// Nothing that may be kept.
    Nothing,
    /// Answers, in the order of the questions asked; fewer where the API stopped early.
    Answers {
        /// The answers.
        items: Vec<ReplyItem>,
        /// The token that the message bears. One in the carrier header needs no mention.
        token: Option<String>,
    },
    /// A write was made.
    Wrote {
        /// The token that the message bears. One in the carrier header needs no mention.
        token: Option<String>,
        /// The schema changed, so that every answer may have.
        schema: bool,
    },
    /// The upstream would not answer at the revision that it was told: expired, not reached, foreign.
    RevisionRejected,
    /// The write was surely not made.
    NotWritten,
}

/// One answer.
#[derive(Clone, Debug)]
pub struct ReplyItem {
    /// What to reply to this question.
    pub kept: StoredResponse,
    /// Whether the verdict is one that others may be given. An item's error, for one, is not.
    pub keep: bool,
    /// When the upstream says that the answer ends, counted from now.
    pub expires_in: Option<Duration>,
}

impl ReplyItem {
    /// A verdict.
    pub fn verdict(kept: StoredResponse) -> Self {
        Self {
            kept,
            keep: true,
            expires_in: None,
        }
    }

    /// Something to reply to this caller only.
    pub fn not_to_keep(kept: StoredResponse) -> Self {
        Self {
            kept,
            keep: false,
            expires_in: None,
        }
    }
}
