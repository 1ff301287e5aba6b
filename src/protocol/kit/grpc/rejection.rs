use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};

use crate::protocol::kit::grpc::status::{Code, GRPC_MESSAGE, GRPC_STATUS};
use crate::protocol::problem::Rejection;
use crate::token::TokenErrorKind;

/// A rejection as a reply with headers only: a status and a message. For
/// [`Protocol::reject`](crate::protocol::Protocol::reject).
pub fn reject(why: &Rejection) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(GRPC_STATUS, code(why).to_header_value());
    if let Ok(message) = HeaderValue::from_maybe_shared(percent_encoded(&why.detail())) {
        headers.insert(GRPC_MESSAGE, message);
    }
    response
}

/// The status code of a rejection.
pub fn code(why: &Rejection) -> Code {
    match why {
        Rejection::BadToken(TokenErrorKind::Expired) => Code::OutOfRange,
        Rejection::BadToken(_)
        | Rejection::TokensDoNotJoin
        | Rejection::TokenRequired
        | Rejection::ExactNeedsOneToken
        | Rejection::UnknownConsistency
        | Rejection::ContradictoryConsistency => Code::InvalidArgument,
        Rejection::FloorUnstated | Rejection::SignedUnreadable => Code::Unimplemented,
        Rejection::Behind | Rejection::UpstreamFailed | Rejection::NotRecorded => Code::Unavailable,
        Rejection::RequestTimeout | Rejection::UpstreamTimeout => Code::DeadlineExceeded,
    }
}

/// Encodes a status message as gRPC over HTTP/2 requires: visible ASCII and spaces stay, except `%`; all other bytes
/// are escaped.
fn percent_encoded(text: &str) -> Bytes {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut encoded = Vec::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'%' | 0..b' ' | 0x7f.. => {
                let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
                encoded.push(b'%');
                encoded.extend_from_slice(&digits);
            }
            plain => encoded.push(plain),
        }
    }
    encoded.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rejections_are_trailers_only() {
        for (why, code) in [
            (Rejection::BadToken(TokenErrorKind::Malformed("cut off")), "3"),
            (Rejection::BadToken(TokenErrorKind::TooLong { len: 9, max: 8 }), "3"),
            (Rejection::BadToken(TokenErrorKind::Foreign), "3"),
            (Rejection::BadToken(TokenErrorKind::Expired), "11"),
            (Rejection::TokensDoNotJoin, "3"),
            (Rejection::TokenRequired, "3"),
            (Rejection::ExactNeedsOneToken, "3"),
            (Rejection::UnknownConsistency, "3"),
            (Rejection::ContradictoryConsistency, "3"),
            (Rejection::FloorUnstated, "12"),
            (Rejection::SignedUnreadable, "12"),
            (Rejection::BadToken(TokenErrorKind::WrongSignature), "3"),
            (Rejection::BadToken(TokenErrorKind::TooOld), "3"),
            (Rejection::Behind, "14"),
            (Rejection::RequestTimeout, "4"),
            (Rejection::UpstreamFailed, "14"),
            (Rejection::UpstreamTimeout, "4"),
        ] {
            let response = reject(&why);
            assert_eq!(response.status(), 200);
            assert!(response.body().is_empty());
            let headers = response.headers();
            assert_eq!(headers["content-type"], "application/grpc");
            assert_eq!(headers["grpc-status"], code, "{why:?}");
            assert_eq!(headers["grpc-message"].to_str().unwrap(), why.detail(), "{why:?}");
            assert_eq!(headers.len(), 3);
        }
    }

    #[test]
    fn messages_are_percent_encoded() {
        assert_eq!(percent_encoded("100 % \n\u{7f}ä~"), "100 %25 %0A%7F%C3%A4~");
    }

    proptest! {
        #[test]
        fn every_message_fits_into_a_header(text: String) {
            let encoded = percent_encoded(&text);
            prop_assert!(HeaderValue::from_maybe_shared(encoded.clone()).is_ok());
            let mut decoded = Vec::new();
            let mut bytes = encoded.iter();
            while let Some(&byte) = bytes.next() {
                decoded.push(if byte == b'%' {
                    let digits = [*bytes.next().unwrap(), *bytes.next().unwrap()];
                    u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
                } else {
                    byte
                });
            }
            prop_assert_eq!(decoded, text.into_bytes());
        }
    }
}
