use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::protocol::reply::Reply;

pub(in crate::protocol) const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
pub(in crate::protocol) const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// gRPC's [status codes](https://grpc.io/docs/guides/status-codes/). Each one's value is its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The call succeeded.
    Ok,
    /// The caller cancelled the call.
    Cancelled,
    /// An error that the server does not classify.
    Unknown,
    /// The request is wrong, whatever the state of the server.
    InvalidArgument,
    /// The call did not end in time.
    DeadlineExceeded,
    /// What the request names does not exist.
    NotFound,
    /// What the request would create exists already.
    AlreadyExists,
    /// The caller may not make this call.
    PermissionDenied,
    /// A quota or a resource is used up.
    ResourceExhausted,
    /// The server's state does not allow the call.
    FailedPrecondition,
    /// The call was aborted, for example because of a conflict.
    Aborted,
    /// The request goes past a valid range.
    OutOfRange,
    /// The server does not have this method.
    Unimplemented,
    /// An invariant of the server is broken.
    Internal,
    /// The server is not available now.
    Unavailable,
    /// Data is lost or damaged.
    DataLoss,
    /// The request has no valid credentials.
    Unauthenticated,
}

/// Each code at the index of its number.
const CODES: [Code; 17] = [
    Code::Ok,
    Code::Cancelled,
    Code::Unknown,
    Code::InvalidArgument,
    Code::DeadlineExceeded,
    Code::NotFound,
    Code::AlreadyExists,
    Code::PermissionDenied,
    Code::ResourceExhausted,
    Code::FailedPrecondition,
    Code::Aborted,
    Code::OutOfRange,
    Code::Unimplemented,
    Code::Internal,
    Code::Unavailable,
    Code::DataLoss,
    Code::Unauthenticated,
];

impl Code {
    fn read(value: &HeaderValue) -> Option<Self> {
        Self::numbered(value.to_str().ok()?.parse().ok()?)
    }

    /// The code with this number, if there is one.
    pub fn numbered(number: usize) -> Option<Self> {
        CODES.get(number).copied()
    }

    /// The value of the trailer `grpc-status`.
    pub fn to_header_value(self) -> HeaderValue {
        HeaderValue::from(self as u16)
    }

    /// Whether a write that ended with this code certainly changed nothing. After any other code it may have succeeded:
    /// the server or a proxy only lost its outcome.
    pub fn changed_nothing(self) -> bool {
        matches!(
            self,
            Self::InvalidArgument
                | Self::NotFound
                | Self::AlreadyExists
                | Self::PermissionDenied
                | Self::FailedPrecondition
                | Self::OutOfRange
                | Self::Unimplemented
                | Self::Unauthenticated
        )
    }
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status<'a> {
    /// The code.
    pub code: Code,
    /// The message, percent-encoded.
    pub message: Option<&'a HeaderValue>,
}

impl<'a> Status<'a> {
    /// The status in a reply's trailers, or in its headers if the reply has nothing else. `None` if the call did not
    /// end like a gRPC call: the HTTP status is not 200, the reply broke off, or it has no code or more than one.
    pub fn of(reply: &Reply<'a>) -> Option<Self> {
        if reply.status != StatusCode::OK {
            return None;
        }
        match reply.trailers {
            Some(trailers) => Self::in_map(trailers),
            None if reply.body.is_empty() => Self::in_map(reply.headers),
            None => None,
        }
    }

    fn in_map(map: &'a HeaderMap) -> Option<Self> {
        let mut codes = map.get_all(GRPC_STATUS).iter();
        let (Some(code), None) = (codes.next(), codes.next()) else {
            return None;
        };
        Some(Self {
            code: Code::read(code)?,
            message: map.get(GRPC_MESSAGE),
        })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn map(codes: &[&'static str]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for code in codes {
            map.append(GRPC_STATUS, HeaderValue::from_static(code));
        }
        map
    }

    fn status(
        http: u16,
        headers: &[&'static str],
        body: &'static [u8],
        trailers: Option<&[&'static str]>,
    ) -> Option<Code> {
        let trailers = trailers.map(map);
        let reply = Reply {
            status: StatusCode::from_u16(http).unwrap(),
            headers: &map(headers),
            body: &Bytes::from_static(body),
            trailers: trailers.as_ref(),
        };
        Status::of(&reply).map(|status| status.code)
    }

    #[test]
    fn the_status_is_in_the_trailers_or_in_a_lone_header() {
        assert_eq!(status(200, &[], b"x", Some(&["0"])), Some(Code::Ok));
        assert_eq!(status(200, &["9"], b"", None), Some(Code::FailedPrecondition));
        assert_eq!(status(200, &["0"], b"x", Some(&["13"])), Some(Code::Internal));
        assert_eq!(status(200, &["0"], b"x", None), None, "broken off");
        assert_eq!(status(200, &["0"], b"", Some(&[])), None);
        assert_eq!(status(200, &[], b"", None), None);
        assert_eq!(status(503, &["0"], b"", None), None);
    }

    #[test]
    fn invalid_status_codes_are_ignored() {
        for codes in [&["17"][..], &["-1"], &[""], &["ok"], &["0", "0"]] {
            assert_eq!(status(200, &[], b"x", Some(codes)), None, "{codes:?}");
        }
        for (number, code) in CODES.into_iter().enumerate() {
            assert_eq!(code as usize, number);
            assert_eq!(Code::read(&code.to_header_value()), Some(code));
        }
    }

    #[test]
    fn a_write_of_unknown_outcome_is_not_reported_as_undone() {
        for code in [
            Code::Ok,
            Code::Cancelled,
            Code::Unknown,
            Code::DeadlineExceeded,
            Code::ResourceExhausted,
            Code::Aborted,
            Code::Internal,
            Code::Unavailable,
            Code::DataLoss,
        ] {
            assert!(!code.changed_nothing(), "{code:?}");
        }
        assert_eq!(CODES.into_iter().filter(|code| code.changed_nothing()).count(), 8);
    }
}
