use bytes::Bytes;
use http::Uri;

use crate::cache::{Fingerprint, FingerprintBuilder};
use crate::consistency::Consistency;
use crate::token::{Carriers, Outline};

/// Which of its calls a protocol recognised. Means something to that protocol only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route(pub usize);

/// What a protocol says to a request's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Not one of the API's requests, or one that the cache has nothing to do with.
    Pass,
    /// The head says it all: the body is empty, or (for a write) is not looked at.
    Parts(Route),
    /// The body has to be read.
    Body(Route),
    /// A read that is never kept, such as a listing. It is forwarded unmodified, unless a carrier raises its floor: then
    /// its body is read, and its message has to say so.
    Floor(Route),
}

/// What a question's fingerprint begins with, and which parts of the head never belong in it.
#[derive(Clone, Debug)]
pub struct Key<'a> {
    /// The caller's credentials and the endpoint, hashed already. Clone it for each question.
    pub base: FingerprintBuilder,
    /// Where zookies travel.
    pub carriers: &'a Carriers,
    pub(crate) query: Outline,
}

impl<'a> Key<'a> {
    /// What the keys of a request to `uri` begin with.
    pub fn new(base: FingerprintBuilder, carriers: &'a Carriers, uri: &Uri) -> Self {
        Self {
            base,
            carriers,
            query: carriers.outline(uri),
        }
    }
}

/// One call of the API.
#[derive(Clone, Debug)]
pub struct Call {
    /// Which call it is.
    pub route: Route,
    /// What it asks.
    pub kind: Kind,
    /// The wish that the message itself states.
    pub consistency: Option<Consistency>,
    /// The token that the message itself bears, UTF-8 or not.
    pub token: Option<Bytes>,
    /// It leaves a part of its questions, such as the schema's version, to whatever is the latest. The answers then end
    /// with the window, whatever revision they hold at.
    pub unpinned: bool,
}

impl Call {
    /// A call whose message says nothing of tokens and wishes.
    pub fn new(route: Route, kind: Kind) -> Self {
        Self {
            route,
            kind,
            consistency: None,
            token: None,
            unpinned: false,
        }
    }
}

/// What a call asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One question.
    Check(Fingerprint),
    /// Several questions with one reply.
    Bulk(Vec<Fingerprint>),
    /// A change of relationships or schema: forwarded unmodified.
    Write {
        /// It changes the schema, so that every answer may change even where its reply never comes.
        schema: bool,
        /// The client sends a stream, which ends with the client. The reply to any other write is waited for also when
        /// the caller has left.
        stream: bool,
    },
    /// A read that is never kept, but answered no lower than its floor.
    Read {
        /// Its reply is a stream, which is handed on unread.
        stream: bool,
    },
    /// One page of a listing. It goes by the revision in its cursor, and the cursor demands that nothing else of the
    /// request has changed, so it is forwarded unmodified even where a carrier demands a floor.
    Page,
}

impl Kind {
    /// A check whose reply is never stored, because it holds something other than the answer, or because the server
    /// rejects the check.
    pub(crate) const NEVER_STORED: Self = Self::Read { stream: false };

    /// How many questions the call asks.
    pub(crate) fn questions(&self) -> usize {
        match self {
            Self::Check(_) => 1,
            Self::Bulk(questions) => questions.len(),
            Self::Write { .. } | Self::Read { .. } | Self::Page => 0,
        }
    }
}

/// Why a request that a protocol claimed can't be answered from the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable(pub &'static str);
