//! What a caller gets when there is no reply to hand on.

use std::error::Error;

use bytes::Bytes;
use h2::Reason;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::Full;
use tokio::time::Instant;
use tower_zookie::protocol::kit::grpc::timeout;

use super::pool::CallError;
use super::upstream::UpstreamError;

/// Why there is no reply to hand on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("the request has no path to forward it to")]
    NoPath,
    #[error("the upstream did not answer")]
    Upstream(#[from] UpstreamError),
}

/// What form a request has, and its reply must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// The call's deadline is here, if it has one.
    Grpc(Option<Instant>),
    Http,
}

impl Form {
    pub(crate) fn of(parts: &Parts) -> Self {
        let content_type = parts.headers.get(CONTENT_TYPE);
        match content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc")) {
            true => Self::Grpc(timeout(&parts.headers).and_then(|timeout| Instant::now().checked_add(timeout))),
            false => Self::Http,
        }
    }
}

/// A gRPC status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Status {
    code: u16,
    message: &'static str,
}

impl Status {
    pub(super) const CONNECTION_LOST: Self = Self::unavailable("the connection to the upstream was lost");
    const UNREACHABLE: Self = Self::unavailable("the upstream can't be reached");
    const FULL: Self =
        Self::unavailable("all connections to the upstream are in use; --max-upstream-connections allows more");
    const DEADLINE_EXCEEDED: Self = Self {
        code: 4,
        message: "the call's deadline is over",
    };
    const NO_PATH: Self = Self {
        code: 12,
        message: "the request has no path to forward it to",
    };

    const fn unavailable(message: &'static str) -> Self {
        Self { code: 14, message }
    }

    /// What gRPC's mapping of HTTP/2 errors says of a stream that the upstream reset.
    fn reset(reason: Reason) -> Self {
        let code = match reason {
            Reason::REFUSED_STREAM => 14,
            Reason::CANCEL => 1,
            Reason::ENHANCE_YOUR_CALM => 8,
            Reason::INADEQUATE_SECURITY => 7,
            _ => 13,
        };
        Self {
            code,
            message: "the upstream reset the stream",
        }
    }

    fn of(error: &Failure) -> Self {
        match error {
            Failure::NoPath => Self::NO_PATH,
            Failure::Upstream(error) if error.is_connect() => Self::UNREACHABLE,
            Failure::Upstream(UpstreamError::Grpc(CallError::Full)) => Self::FULL,
            Failure::Upstream(error) => reset_reason(error).map_or(Self::CONNECTION_LOST, Self::reset),
        }
    }

    /// A gRPC server written in Go cancels the stream of a call whose deadline is over, and its clients know what that means.
    /// So does this. A call that found no room in all its time has the same status.
    fn by(self, deadline: Option<Instant>) -> Self {
        let is_over = deadline.is_some_and(|deadline| deadline <= Instant::now());
        match is_over && (self == Self::FULL || self == Self::reset(Reason::CANCEL)) {
            true => Self::DEADLINE_EXCEEDED,
            false => self,
        }
    }

    pub(super) fn trailers(self) -> HeaderMap {
        let mut trailers = HeaderMap::with_capacity(2);
        trailers.insert("grpc-status", HeaderValue::from(self.code));
        // Ours are plain ASCII without a percent sign, so nothing needs an escape.
        trailers.insert("grpc-message", HeaderValue::from_static(self.message));
        trailers
    }
}

/// Why the upstream reset the stream, if that is what happened.
pub(super) fn reset_reason(error: &(dyn Error + 'static)) -> Option<Reason> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<h2::Error>() {
            return error.reason().filter(|_| error.is_reset());
        }
        cause = error.source();
    }
    None
}

/// The reply in place of the upstream's.
pub(super) fn reply(error: &Failure, form: Form) -> Response<Full<Bytes>> {
    tracing::debug!(error = error as &dyn Error, "a request failed");
    match form {
        Form::Grpc(deadline) => grpc(Status::of(error).by(deadline)),
        Form::Http => http(error),
    }
}

/// A status in trailers only.
fn grpc(status: Status) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.headers_mut() = status.trailers();
    let content_type = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

fn http(error: &Failure) -> Response<Full<Bytes>> {
    let (status, detail) = match error {
        Failure::NoPath => (StatusCode::BAD_REQUEST, Status::NO_PATH.message),
        Failure::Upstream(error) if error.is_connect() => (StatusCode::BAD_GATEWAY, Status::UNREACHABLE.message),
        Failure::Upstream(_) => (StatusCode::BAD_GATEWAY, Status::CONNECTION_LOST.message),
    };
    let problem = serde_json::json!({
        "title": status.canonical_reason(),
        "status": status.as_u16(),
        "detail": detail,
    });
    let mut response = Response::new(Full::from(problem.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
