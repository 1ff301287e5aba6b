use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;

use crate::consistency::UnknownConsistency;
use crate::token::TokenErrorKind;

/// Why the layer rejects a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejection {
    /// A token can't be used.
    BadToken(TokenErrorKind),
    /// The tokens of one request have no join.
    TokensDoNotJoin,
    /// The service requires a token, and the request has no token.
    TokenRequired,
    /// An exact read without exactly one token in a header, the query or the message.
    ExactNeedsOneToken,
    /// The header `zookie-consistency` has an unknown value.
    UnknownConsistency,
    /// The request asks for one exact snapshot and also for something stricter: head, a bounded staleness or
    /// `no-cache`.
    ContradictoryConsistency,
    /// A carrier demands a freshness that the message would have to state, and the layer can't read the message.
    FloorUnstated,
    /// A signed token is in a message that the layer can't read, and so can't take the signature from.
    SignedUnreadable,
    /// The service answered at a revision that does not cover the request's tokens.
    Behind,
    /// The body did not arrive in time.
    RequestTimeout,
    /// The upstream failed, for this request or for the request whose flight it joined.
    UpstreamFailed,
    /// The upstream did not answer in time.
    UpstreamTimeout,
    /// A write was made, and its token could not be recorded for its objects.
    NotRecorded,
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
            | Self::ContradictoryConsistency => StatusCode::BAD_REQUEST,
            Self::FloorUnstated | Self::SignedUnreadable => StatusCode::NOT_IMPLEMENTED,
            Self::Behind | Self::NotRecorded => StatusCode::SERVICE_UNAVAILABLE,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::UpstreamFailed => StatusCode::BAD_GATEWAY,
            Self::UpstreamTimeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// A short, stable name for programs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::BadToken(TokenErrorKind::TooLong { .. }) => "zookie-too-long",
            Self::BadToken(TokenErrorKind::Foreign) => "zookie-foreign",
            Self::BadToken(TokenErrorKind::Expired) => "zookie-expired",
            Self::BadToken(TokenErrorKind::UnknownKey) => "zookie-unknown-key",
            Self::BadToken(TokenErrorKind::WrongSignature) => "zookie-wrong-signature",
            Self::BadToken(TokenErrorKind::TooOld) => "zookie-too-old",
            Self::BadToken(TokenErrorKind::FromFuture) => "zookie-from-future",
            Self::BadToken(_) => "zookie-malformed",
            Self::TokensDoNotJoin => "zookies-do-not-join",
            Self::TokenRequired => "zookie-required",
            Self::ExactNeedsOneToken => "exact-needs-one-zookie",
            Self::UnknownConsistency => "unknown-consistency",
            Self::ContradictoryConsistency => "contradictory-consistency",
            Self::FloorUnstated => "zookie-beside-unreadable-message",
            Self::SignedUnreadable => "signed-zookie-in-unreadable-message",
            Self::Behind => "service-behind-zookie",
            Self::RequestTimeout => "request-timeout",
            Self::UpstreamFailed => "upstream-failed",
            Self::UpstreamTimeout => "upstream-timeout",
            Self::NotRecorded => "write-not-recorded",
        }
    }

    /// What was wrong and what to do about it.
    pub fn detail(&self) -> String {
        match self {
            Self::BadToken(kind) => crate::token::TokenError::from(kind.clone()).to_string(),
            Self::TokensDoNotJoin => {
                "the request has too many zookies, or zookies that can't be combined; send only one".into()
            }
            Self::TokenRequired => {
                "this service requires a zookie; send the one that it returned with the content".into()
            }
            Self::ExactNeedsOneToken => {
                "at-exact-snapshot needs exactly one zookie, in a header, the query or the message; cookies don't count"
                    .into()
            }
            Self::UnknownConsistency => UnknownConsistency.to_string(),
            Self::ContradictoryConsistency => {
                "the request asks for one exact snapshot, and also for head, a bounded staleness or no-cache; ask for only \
                 one of them"
                    .into()
            }
            Self::FloorUnstated => {
                "the headers, or the tokens that are remembered of objects, demand a freshness that the message has to state, and \
                 the layer can't read this message; send a complete, uncompressed message with its own content type, or put \
                 the zookie into the message"
                    .into()
            }
            Self::SignedUnreadable => {
                "the message has a signed zookie, and the layer can't read this message, so the service would get the signature \
                 too; send the zookie in a header, or a message as the API defines it"
                    .into()
            }
            Self::Behind => {
                "the service answered at an older revision than the request demands; send the request again, or without the \
                 zookie if the store was restored"
                    .into()
            }
            Self::RequestTimeout => "the request's body did not arrive in time; send the request again".into(),
            Self::UpstreamFailed => "the authorization service failed; send the request again".into(),
            Self::UpstreamTimeout => {
                "the authorization service did not answer in time; send the request again".into()
            }
            Self::NotRecorded => {
                "the write was made, but its token could not be recorded, so checks may not see it yet; send the write again until \
                 it succeeds"
                    .into()
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
