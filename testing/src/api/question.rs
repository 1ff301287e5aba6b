use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use tower_zookie::cache::{Fingerprint, FingerprintBuilder, Keyer, ReadAt};
use tower_zookie::protocol::{Call, Key, Kind, Received, Route, Unreadable};
use tower_zookie::revision::{Counter, Revision, StoreId};
use tower_zookie::token::{Carriers, Zookie};

use crate::api::case::{Case, Wire};
use crate::frame::is_framed;

/// The start of all keys of one test.
pub type Base = FingerprintBuilder;

pub fn base() -> Base {
    Keyer::random().question("test")
}

pub fn revision() -> Revision {
    Revision::new(StoreId::new(["test"]), Counter(1))
}

/// Every way to ask, each with and without a token for its revision.
pub fn ways() -> [(ReadAt, Option<&'static str>); 7] {
    [
        (ReadAt::Any, None),
        (ReadAt::Head, None),
        (ReadAt::AtLeast(revision()), Some("t")),
        (ReadAt::Unmodified(revision()), Some("t")),
        (ReadAt::Exact(revision()), Some("t")),
        (ReadAt::AtLeast(revision()), None),
        (ReadAt::Exact(revision()), None),
    ]
}

pub fn map(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        let name: HeaderName = name.parse().unwrap();
        map.append(name, HeaderValue::from_str(value).unwrap());
    }
    map
}

pub(super) fn zookie(token: Option<&str>) -> Option<Zookie> {
    token.map(|token| Zookie::new(token, 1024).unwrap())
}

/// A request to one operation.
#[derive(Clone, Debug)]
pub struct Request {
    pub case: Case,
    pub route: Route,
    pub parts: Parts,
    pub body: Bytes,
}

/// A request that the protocol has read.
#[derive(Clone, Debug)]
pub struct Question {
    pub case: Case,
    pub route: Route,
    pub call: Call,
    pub body: Bytes,
}

impl Case {
    /// A request with this message.
    pub fn request(self, message: &Value) -> Request {
        self.request_of(self.body(message))
    }

    pub fn request_of(self, body: impl Into<Bytes>) -> Request {
        let (route, parts, body) = (self.route(), self.parts(), body.into());
        Request {
            case: self,
            route,
            parts,
            body,
        }
    }

    /// What the protocol reads of this message.
    pub fn read(self, message: &Value) -> Result<Question, Unreadable> {
        self.request(message).read(&base())
    }

    pub fn is_readable(self, message: &Value) -> bool {
        self.read(message).is_ok()
    }

    /// The key of a message's first question.
    pub fn key(self, message: &Value, base: &Base) -> Fingerprint {
        self.request(message).key(base)
    }

    /// A call whose message does not matter.
    pub fn call(self) -> Question {
        self.read(&self.message()).unwrap()
    }
}

impl Request {
    /// The request with these headers instead of its own.
    #[must_use]
    pub fn headers(mut self, headers: &[(&str, &str)]) -> Self {
        self.parts.headers = map(headers);
        self
    }

    /// The request with these headers beside its own.
    #[must_use]
    pub fn more_headers(mut self, headers: &[(&str, &str)]) -> Self {
        self.parts.headers.extend(map(headers));
        self
    }

    #[must_use]
    pub fn uri(mut self, uri: &str) -> Self {
        self.parts.uri = uri.parse().unwrap();
        self
    }

    pub fn read(&self, base: &Base) -> Result<Question, Unreadable> {
        let carriers = Carriers::default();
        let key = Key::new(base.clone(), &carriers, &self.parts.uri);
        let protocol = self.case.api.system.protocol();
        let call = protocol.read(self.route, &self.parts, &self.body, key)?;
        let (case, route, body) = (self.case, self.route, self.body.clone());
        Ok(Question {
            case,
            route,
            call,
            body,
        })
    }

    /// The key of its first question.
    pub fn key(&self, base: &Base) -> Fingerprint {
        self.read(base).unwrap().keys()[0]
    }
}

impl Question {
    pub fn received(&self) -> Received<'_> {
        Received::new(self.route, &self.call, &self.body)
    }

    /// The keys of its questions. A call that is never stored has none.
    pub fn keys(&self) -> Vec<Fingerprint> {
        match &self.call.kind {
            Kind::Check(key) => vec![*key],
            Kind::Bulk(keys) => keys.clone(),
            _ => Vec::new(),
        }
    }

    /// All of its questions.
    pub fn all(&self) -> Vec<usize> {
        (0..self.keys().len()).collect()
    }

    /// What is forwarded for the questions `open`, if it is not the body itself.
    pub fn forwarded(&self, open: &[usize], at: &ReadAt, token: Option<&str>) -> Option<Bytes> {
        let protocol = self.case.api.system.protocol();
        let forwarded = protocol.ask(self.received(), open, at, zookie(token).as_ref())?;
        assert!(self.case.api.wire == Wire::Json || is_framed(forwarded.clone()));
        Some(forwarded)
    }
}
