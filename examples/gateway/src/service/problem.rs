//! Errors, as RFC 9457 problem details.

use axum::Json;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tower_zookie::consistency::UnknownConsistency;
use tower_zookie::store::node::NodeWriteError;
use tower_zookie::store::{CheckError, ParseError, ReadError, RevisionError, WriteError};
use tower_zookie::token::{TokenError, TokenErrorKind};

use super::ids::stored;

/// What went wrong, and what to do about it.
#[derive(Debug)]
pub struct Problem {
    pub status: StatusCode,
    pub detail: String,
    /// The same request can succeed a little later.
    pub retry: bool,
}

impl Problem {
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
            retry: false,
        }
    }

    /// What may be so no longer after a second.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self {
            retry: true,
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
        }
    }

    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    pub fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "this path takes another method")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Body {
            title: &'static str,
            status: u16,
            detail: String,
        }
        let body = Body {
            title: self.status.canonical_reason().unwrap_or_default(),
            status: self.status.as_u16(),
            detail: self.detail,
        };
        let mut response = (self.status, Json(body)).into_response();
        let problem = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(CONTENT_TYPE, problem);
        if self.retry {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl From<ParseError> for Problem {
    fn from(error: ParseError) -> Self {
        Self::bad_request(match &error {
            // A longer one is cut off.
            ParseError::Id { id } if (1..80).contains(&id.len()) => {
                format!("{error}; AuthZEN's id `{id}` is stored as `{}`", stored(id))
            }
            _ => error.to_string(),
        })
    }
}

impl From<UnknownConsistency> for Problem {
    fn from(error: UnknownConsistency) -> Self {
        Self::bad_request(error.to_string())
    }
}

impl From<TokenError> for Problem {
    fn from(error: TokenError) -> Self {
        let status = match error.kind() {
            TokenErrorKind::Expired => StatusCode::GONE,
            _ => StatusCode::BAD_REQUEST,
        };
        Self::new(status, error.to_string())
    }
}

impl From<RevisionError> for Problem {
    fn from(error: RevisionError) -> Self {
        let status = match error {
            RevisionError::SnapshotExpired { .. } => StatusCode::GONE,
            _ => StatusCode::CONFLICT,
        };
        Self::new(status, error.to_string())
    }
}

impl From<CheckError> for Problem {
    fn from(error: CheckError) -> Self {
        match error {
            CheckError::Revision(error) => error.into(),
            // Not 400, which the layer could interpret as a rejected revision.
            CheckError::UnknownName(name) => Self::not_found(name.to_string()),
            CheckError::Wildcard { .. } => Self::bad_request(error.to_string()),
            _ => Self::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()),
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        let status = match error {
            ReadError::Malformed { .. } | ReadError::Foreign => StatusCode::BAD_REQUEST,
            ReadError::TooFarAhead { .. } => StatusCode::CONFLICT,
            ReadError::Revision(error) => return error.into(),
            ReadError::Check(error) => return error.into(),
            // Its node is behind, or too many wait.
            _ => return Self::unavailable(error.to_string()),
        };
        Self::new(status, error.to_string())
    }
}

impl From<NodeWriteError> for Problem {
    fn from(error: NodeWriteError) -> Self {
        match error {
            NodeWriteError::Token(error) => error.into(),
            NodeWriteError::Refused(error) => error.into(),
            NodeWriteError::Busy { .. } => Self::unavailable(error.to_string()),
            NodeWriteError::TooLarge { .. } => Self::new(StatusCode::PAYLOAD_TOO_LARGE, error.to_string()),
            NodeWriteError::Unacknowledged { .. } => Self::new(StatusCode::GATEWAY_TIMEOUT, error.to_string()),
            _ => Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        }
    }
}

impl From<WriteError> for Problem {
    fn from(error: WriteError) -> Self {
        let status = match error {
            WriteError::AlreadyExists { .. } | WriteError::DoesNotExist { .. } => StatusCode::CONFLICT,
            WriteError::UnknownName(_) => StatusCode::NOT_FOUND,
            WriteError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::BAD_REQUEST,
        };
        Self::new(status, error.to_string())
    }
}
