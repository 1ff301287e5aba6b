//! How a reply says what its sender has learned.

use http::response::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::consistency::{CONSISTENCY, Consistency};
use crate::revision::StoreId;
use crate::session::current::Session;

/// The header of a service with a session: whether its session was raised by a write.
pub(super) const SESSION: HeaderName = HeaderName::from_static("zookie-session");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

pub(super) const WRITTEN: HeaderValue = HeaderValue::from_static("written");
pub(super) const READ: HeaderValue = HeaderValue::from_static("read");

/// What a `ZookieLayer` says in `Cache-Status` of a write.
const A_WRITE: &str = "detail=\"a write\"";
/// What it says of a token of another store.
const FOREIGN: &str = "detail=\"rejected: zookie-foreign\"";

/// Full consistency, as a header's value.
pub(super) fn fully_consistent() -> HeaderValue {
    HeaderValue::try_from(Consistency::FullyConsistent.to_string()).unwrap_or(WRITTEN)
}

/// Takes the tokens of a reply's headers or trailers into the session.
pub(super) fn absorb(session: &Session, headers: &HeaderMap, carrier: &HeaderName, written: bool) {
    for value in headers.get_all(carrier) {
        let texts = value.to_str().unwrap_or_default();
        for text in texts.split(',').map(str::trim) {
            if let Err(error) = session.absorb_unsure(text, written) {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    header = %carrier,
                    "the token of a reply can't be read, so its session's calls are fully consistent from now on; check the \
                     format that the session was made with"
                );
            }
        }
    }
    if headers
        .get(CONSISTENCY)
        .is_some_and(|value| *value == fully_consistent())
    {
        session.floors().lose();
    }
}

/// Takes a write into the session of which the reply's head names no token, such as an import.
pub(super) fn absorb_unnamed_write(session: &Session, reply: &Parts, carrier: &HeaderName) {
    let failed = !reply.status.is_success() || reply.headers.get(GRPC_STATUS).is_some_and(|code| code != "0");
    let is_write = zookie_statuses(&reply.headers).any(|status| status.contains(A_WRITE));
    if is_write && !failed && !reply.headers.contains_key(carrier) {
        session.floors().write_without_token();
    }
}

/// Whether a reply is that to a write: as a service with a session says, or a `ZookieLayer`; without either, every reply to
/// a method that is not safe, and so every gRPC call, counts as one.
pub(super) fn is_of_write(headers: &HeaderMap, method: &Method) -> bool {
    if let Some(written) = says_written(headers) {
        return written;
    }
    let mut statuses = zookie_statuses(headers).peekable();
    match statuses.peek() {
        Some(_) => statuses.any(|status| status.contains(A_WRITE)),
        None => !method.is_safe(),
    }
}

/// What a service with a session says in these headers or trailers.
pub(super) fn says_written(headers: &HeaderMap) -> Option<bool> {
    headers.get(SESSION).map(|said| *said == WRITTEN)
}

/// The store of a reply's token.
pub(super) fn store_named(session: &Session, headers: &HeaderMap, carrier: &HeaderName) -> Option<StoreId> {
    let text = headers.get(carrier)?.to_str().ok()?;
    let first = text.split(',').next()?.trim();
    Some(session.memo().parse(first).ok()?.revision.store().clone())
}

/// Whether a `ZookieLayer` has rejected the request because of a token of another store.
pub(super) fn is_foreign(headers: &HeaderMap) -> bool {
    zookie_statuses(headers).any(|status| status.contains(FOREIGN))
}

/// Whether the reply is from a service with a session, which may know of several stores.
pub(super) fn is_of_session(headers: &HeaderMap) -> bool {
    headers.contains_key(SESSION)
}

fn zookie_statuses(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(CACHE_STATUS).into_iter();
    values
        .filter_map(|value| value.to_str().ok())
        .filter(|text| text.contains("tower-zookie"))
}
