use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;

use crate::consistency::UnknownConsistency;
use crate::token::TokenErrorKind;

/// Why the layer rejects a request by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejection {
    /// A token that can't be used.
    BadToken(TokenErrorKind),
    /// The tokens of one request can't be read together.
    TokensDoNotJoin,
    /// The service demands a token, and there is none.
    TokenRequired,
    /// An exact read without exactly one token in a header, the query or the message.
    ExactNeedsOneToken,
    /// The header `zookie-consistency` says something else.
    UnknownConsistency,
    /// One exact snapshot is asked for, and something stricter beside it: head, a bounded staleness or `no-cache`.
    ConsistenciesContradict,
    /// A carrier demands a freshness that the message would have to state, and the message can't be read here.
    FloorUnstated,
    /// The service answered at a revision that does not cover the request's tokens.
    Behind,
    /// The body did not come in time.
    RequestTimeout,
    /// The upstream failed, for this request or for the one that it had joined.
    UpstreamFailed,
    /// The upstream did not answer in time.
    UpstreamTimeout,
}

impl Rejection {
    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::BadToken(TokenErrorKind::Expired) => StatusCode::GONE,
            Self::BadToken(_)
            | Self::TokensDoNotJoin
            | Self::TokenRequired
            | Self::ExactNeedsOneToken
            | Self::UnknownConsistency
            | Self::ConsistenciesContradict => StatusCode::BAD_REQUEST,
            Self::FloorUnstated => StatusCode::NOT_IMPLEMENTED,
            Self::Behind => StatusCode::SERVICE_UNAVAILABLE,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::UpstreamFailed => StatusCode::BAD_GATEWAY,
            Self::UpstreamTimeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// A short name that does not change, for programs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::BadToken(TokenErrorKind::TooLong { .. }) => "zookie-too-long",
            Self::BadToken(TokenErrorKind::Foreign) => "zookie-foreign",
            Self::BadToken(TokenErrorKind::Expired) => "zookie-expired",
            Self::BadToken(_) => "zookie-malformed",
            Self::TokensDoNotJoin => "zookies-do-not-join",
            Self::TokenRequired => "zookie-required",
            Self::ExactNeedsOneToken => "exact-needs-one-zookie",
            Self::UnknownConsistency => "unknown-consistency",
            Self::ConsistenciesContradict => "consistencies-contradict",
            Self::FloorUnstated => "zookie-beside-unreadable-message",
            Self::Behind => "service-behind-zookie",
            Self::RequestTimeout => "request-timeout",
            Self::UpstreamFailed => "upstream-failed",
            Self::UpstreamTimeout => "upstream-timeout",
        }
    }

    /// What was wrong and what to do about it.
    pub fn detail(&self) -> String {
        match self {
            Self::BadToken(kind) => crate::token::TokenError::from(kind.clone()).to_string(),
            Self::TokensDoNotJoin => {
                "the request bears too many zookies, or some that don't belong together; send one".into()
            }
            Self::TokenRequired => {
                "this service answers only requests with a zookie; send the one that came with the content".into()
            }
            Self::ExactNeedsOneToken => {
                "at-exact-snapshot needs exactly one zookie, in a header, the query or the message; cookies don't count"
                    .into()
            }
            Self::UnknownConsistency => UnknownConsistency.to_string(),
            Self::ConsistenciesContradict => {
                "the request asks for one exact snapshot and beside it for head, a bounded staleness or no-cache; send one of \
                 them"
                    .into()
            }
            Self::FloorUnstated => {
                "the message can't be read here, so what the headers demand can't be put into it; send the message whole \
                 and uncompressed, or the zookie in the message alone"
                    .into()
            }
            Self::Behind => {
                "the service answered at an older revision than the request demands; ask again, or drop the zookie if the \
                 store was restored"
                    .into()
            }
            Self::RequestTimeout => "the request's body did not arrive in time; send it again".into(),
            Self::UpstreamFailed => "the authorization service failed, and there is no answer; ask again".into(),
            Self::UpstreamTimeout => {
                "the authorization service did not answer in time, and there is no answer; ask again".into()
            }
        }
    }
}

/// A rejection as RFC 9457 problem details.
pub fn problem_json(why: &Rejection) -> Response<Bytes> {
    #[derive(Serialize)]
    struct Problem<'a> {
        r#type: String,
        title: &'a str,
        status: u16,
        detail: String,
    }
    let problem = Problem {
        r#type: format!("urn:tower-zookie:{}", why.name()),
        title: why.status().canonical_reason().unwrap_or_default(),
        status: why.status().as_u16(),
        detail: why.detail(),
    };
    let mut response = Response::new(serde_json::to_vec(&problem).unwrap_or_default().into());
    *response.status_mut() = why.status();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if *why == Rejection::Behind {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}
