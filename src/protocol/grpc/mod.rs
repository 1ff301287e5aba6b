//! What every gRPC API has: methods, frames, statuses, deadlines and the well-known messages.

mod forwarded;
mod frame;
mod instead;
mod method;
mod question;
mod refusal;
mod reply;
mod status;
mod stream;
#[cfg(test)]
pub(super) mod testing;
mod timeout;
mod timestamp;
mod value;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};

use super::{Kind, Unreadable};
use crate::protobuf::NotProtobuf;

pub(super) use forwarded::Forwarded;
pub(super) use frame::{frame, message};
pub(super) use instead::call_instead;
pub(super) use method::{Method, Methods};
pub(super) use question::Question;
pub(super) use refusal::{code, refuse};
pub(super) use reply::{answer, merged, trailers, whole, written};
pub(super) use status::{Code, Status};
pub(crate) use stream::Messages;
pub(super) use timeout::patience;
pub(super) use timestamp::until;
pub(super) use value::Values;

/// A check whose reply holds more than the answer, or none.
pub(super) const NOT_KEPT: Kind = Kind::Read { stream: false };

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
