use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::cache::Weigh;
use crate::protocol::call::Route;
use crate::token::Zookie;

/// What the cache stores of a reply: status, body, content type and encoding, trailers if they are part of the answer,
/// and the zookie of the answer's revision. It stores nothing about the caller that caused the upstream call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredResponse {
    /// The status.
    pub status: StatusCode,
    /// The content type.
    pub content_type: Option<HeaderValue>,
    /// The content encoding.
    pub content_encoding: Option<HeaderValue>,
    /// The body.
    pub body: Bytes,
    /// Trailers, such as gRPC's status and message.
    pub trailers: Option<HeaderMap>,
    /// The token of the answer's revision. The layer sets it.
    pub zookie: Option<Zookie>,
    /// The call that it is an answer to. The layer sets it.
    pub route: Option<Route>,
}

impl StoredResponse {
    /// A response with this status, type and body.
    pub fn new(status: StatusCode, content_type: HeaderValue, body: Bytes) -> Self {
        Self {
            status,
            content_type: Some(content_type),
            content_encoding: None,
            body,
            trailers: None,
            zookie: None,
            route: None,
        }
    }

    /// The reply to a check without an answer: a failure.
    pub(super) fn unanswered() -> Self {
        Self {
            status: StatusCode::BAD_GATEWAY,
            content_type: None,
            content_encoding: None,
            body: Bytes::new(),
            trailers: None,
            zookie: None,
            route: None,
        }
    }

    /// What the cache may store of the reply with these headers.
    pub fn of(status: StatusCode, headers: &HeaderMap, body: Bytes) -> Self {
        Self {
            status,
            content_type: headers.get(CONTENT_TYPE).map(copied),
            content_encoding: headers.get(CONTENT_ENCODING).map(copied),
            body,
            trailers: None,
            zookie: None,
            route: None,
        }
    }
}

/// A copy of a header value. A received value would keep its whole receive buffer in memory. The usual values are
/// static.
pub(super) fn copied(value: &HeaderValue) -> HeaderValue {
    const USUAL: [&str; 2] = ["application/json", ""];
    let usual = USUAL
        .into_iter()
        .find(|usual| value == usual)
        .map(HeaderValue::from_static);
    let copy = || HeaderValue::from_bytes(value.as_bytes()).ok();
    usual.or_else(copy).unwrap_or_else(|| value.clone())
}

impl Weigh for StoredResponse {
    fn heap_bytes(&self) -> usize {
        let value = |value: &Option<HeaderValue>| value.as_ref().map_or(0, HeaderValue::len);
        let trailers = |map: &HeaderMap| {
            map.iter()
                .map(|(name, value)| name.as_str().len() + value.len() + 64)
                .sum()
        };
        self.body.len()
            + value(&self.content_type)
            + value(&self.content_encoding)
            + self.trailers.as_ref().map_or(0, trailers)
            + self.zookie.as_ref().map_or(0, |zookie| zookie.as_str().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_response_does_not_hold_the_receive_buffer() {
        for text in ["application/json", "application/vnd.example+json"] {
            let buffer = Bytes::from(format!("content-type: {text}\r\n"));
            let value = HeaderValue::from_maybe_shared(buffer.slice(14..14 + text.len())).unwrap();
            let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, value)]);
            let stored = StoredResponse::of(StatusCode::OK, &headers, Bytes::new());
            headers.clear();
            assert_eq!(stored.content_type.unwrap(), text);
            assert!(buffer.is_unique());
        }
    }
}
