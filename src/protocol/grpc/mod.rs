//! What every gRPC API has: frames, statuses, deadlines and the well-known messages.

mod frame;
mod refusal;
mod status;
mod stream;
mod timeout;
mod timestamp;
mod value;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};

use super::Unreadable;
use crate::protobuf::NotProtobuf;

pub(super) use frame::{frame, message};
pub(super) use refusal::{code, refuse};
pub(crate) use stream::Messages;

pub(super) use status::{Code, GRPC_MESSAGE, GRPC_STATUS, Status};
pub(super) use timeout::patience;
pub(super) use timestamp::until;
pub(super) use value::Values;

/// How the content type of Protocol Buffers over gRPC is spelled.
static SPELLINGS: [HeaderValue; 2] = [
    HeaderValue::from_static("application/grpc"),
    HeaderValue::from_static("application/grpc+proto"),
];

/// The content type of a request or reply, if it is Protocol Buffers over gRPC. The value borrows nothing from the
/// headers, so that what is kept does not hold them in memory.
pub(super) fn content_type(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(content_type), None) = (types.next(), types.next()) else {
        return None;
    };
    SPELLINGS.iter().find(|spelling| *spelling == content_type).cloned()
}

impl From<NotProtobuf> for Unreadable {
    fn from(_: NotProtobuf) -> Self {
        Self("not a protobuf message")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_grpc_by_its_content_type() {
        let read = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONTENT_TYPE, HeaderValue::from_static(value));
            }
            content_type(&headers)
        };
        for spelling in ["application/grpc", "application/grpc+proto"] {
            assert_eq!(read(&[spelling]).unwrap(), spelling);
        }
        for other in [
            &[][..],
            &["application/grpc-web"],
            &["application/grpc+json"],
            &["application/json"],
            &["application/grpc", "application/grpc"],
        ] {
            assert_eq!(read(other), None, "{other:?}");
        }
    }
}
