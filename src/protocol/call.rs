use bytes::Bytes;
use http::{Method, Uri};

use crate::cache::{Fingerprint, FingerprintBuilder};
use crate::consistency::Consistency;
use crate::token::{Carriers, Outline};

/// Which of its calls a protocol recognised. The number has a meaning to that protocol only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route(pub usize);

/// How a protocol claims a request, judged by its method, URI and headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Claim {
    /// Not a request of this API, or one that the cache does not handle.
    Pass,
    /// The protocol does not need the body: it is empty, or the request is a write.
    Parts(Route),
    /// The protocol needs the body.
    Body(Route),
    /// A read whose reply is never stored, such as a listing. The layer forwards it unmodified, unless a carrier raises
    /// its floor: then the protocol reads the body, and the forwarded message states the floor.
    Floor(Route),
}

/// A call that a protocol claims, as a warning names it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Endpoint {
    /// Which of its calls the protocol recognises there.
    pub route: Route,
    /// Its method.
    pub method: Method,
    /// Its path, with `{name}` for any one segment and `{*name}` for one or more.
    pub path: String,
}

impl Endpoint {
    /// The call to `route`.
    pub fn new(route: Route, method: Method, path: impl Into<String>) -> Self {
        let path = path.into();
        Self { route, method, path }
    }
}

/// What every fingerprint of a request begins with, and the carriers, whose tokens are never part of it.
#[derive(Clone, Debug)]
pub struct Key<'a> {
    /// The caller's credentials and the endpoint, hashed already. Clone it for each question.
    pub base: FingerprintBuilder,
    /// Where zookies travel: their text is not part of a key.
    pub carriers: &'a Carriers,
    pub(crate) query: Outline,
}

impl<'a> Key<'a> {
    /// The start of the keys of a request to `uri`.
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
#[non_exhaustive]
pub struct Call {
    /// What it asks.
    pub kind: Kind,
    /// The consistency that the message itself states.
    pub consistency: Option<Consistency>,
    /// The token in the message itself, UTF-8 or not.
    pub token: Option<Bytes>,
    /// The message leaves a part of its questions open, such as the schema's version: the upstream takes the latest.
    /// Answers to it end with the window, whatever their revision.
    pub unpinned: bool,
}

impl Call {
    /// A call whose message states neither a token nor a consistency.
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            consistency: None,
            token: None,
            unpinned: false,
        }
    }
}

/// A call as the layer received it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Received<'a> {
    /// Which of its calls the protocol recognised.
    pub route: Route,
    /// What the protocol read.
    pub call: &'a Call,
    /// The whole body; empty for [`Claim::Parts`].
    pub message: &'a Bytes,
}

impl<'a> Received<'a> {
    /// A call to `route` with this body.
    pub fn new(route: Route, call: &'a Call, message: &'a Bytes) -> Self {
        Self { route, call, message }
    }
}

/// A request that only asks the store for a fresh revision: its call and its body.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Probe {
    /// Which call it is.
    pub route: Route,
    /// What it does.
    pub call: Call,
    /// The whole body.
    pub message: Bytes,
}

impl Probe {
    /// A probe by a call to `route` with this body.
    pub fn new(route: Route, call: Call, message: Bytes) -> Self {
        Self { route, call, message }
    }
}

/// What a call asks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// One question.
    Check(Fingerprint),
    /// Several questions with one reply.
    Bulk(Vec<Fingerprint>),
    /// A change of relationships or of the schema. The layer forwards it unmodified.
    #[non_exhaustive]
    Write {
        /// It changes the schema. Every answer may then change, even if the reply never arrives.
        schema: bool,
        /// The client sends a stream, which ends when the client leaves. For any other write, the layer waits for the
        /// reply even after the caller has left.
        stream: bool,
    },
    /// A read whose reply is never stored. Its answer still covers the request's floor.
    #[non_exhaustive]
    Read {
        /// Its reply is a stream, which the layer forwards unread.
        stream: bool,
    },
    /// One page of a listing. The upstream reads it at the revision in its cursor, and rejects the cursor if anything
    /// else in the request has changed. So the layer forwards it unmodified, even where a carrier demands a floor.
    Page,
}

impl Kind {
    /// A change of relationships.
    pub const fn write() -> Self {
        Self::Write {
            schema: false,
            stream: false,
        }
    }

    /// A change of the schema.
    pub const fn schema_write() -> Self {
        Self::Write {
            schema: true,
            stream: false,
        }
    }

    /// A read whose reply is never stored.
    pub const fn read() -> Self {
        Self::Read { stream: false }
    }

    /// The same call, where the client of a write, or the server of a read, sends a stream. A check, a bulk and a page are
    /// never streams.
    #[must_use]
    pub fn streamed(mut self) -> Self {
        if let Self::Write { stream, .. } | Self::Read { stream } = &mut self {
            *stream = true;
        }
        self
    }

    /// How many questions the call asks.
    pub(crate) fn questions(&self) -> usize {
        match self {
            Self::Check(_) => 1,
            Self::Bulk(questions) => questions.len(),
            Self::Write { .. } | Self::Read { .. } | Self::Page => 0,
        }
    }
}

/// Why the cache can't answer a request that a protocol claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable(pub &'static str);
