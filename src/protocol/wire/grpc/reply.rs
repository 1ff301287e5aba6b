use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::protocol::kit::grpc::status::{GRPC_MESSAGE, GRPC_STATUS};
use crate::protocol::kit::grpc::{content_type, message};
use crate::protocol::kit::parts;
use crate::protocol::reply::Reply;
use crate::protocol::stored_response::StoredResponse;

/// The trailers of a reply from the cache: the status OK and its message.
pub(super) fn trailers(grpc_message: Option<HeaderValue>) -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(4);
    trailers.insert(GRPC_STATUS, HeaderValue::from_static("0"));
    if let Some(grpc_message) = grpc_message {
        trailers.insert(GRPC_MESSAGE, grpc_message);
    }
    trailers
}

/// The content type and the message of a successful reply, if it can be read.
pub(super) fn answer<'a>(reply: &Reply<'a>) -> Option<(HeaderValue, &'a [u8])> {
    if parts::is_encoded(reply.headers) {
        return None;
    }
    Some((content_type(reply.headers)?, message(reply.body).ok()?))
}

/// A reply to a bulk, made from these answers.
pub(super) fn merged(answers: &[Option<&StoredResponse>], body: Bytes, trailers: HeaderMap) -> StoredResponse {
    let content_type = answers.iter().flatten().find_map(|answer| answer.content_type.clone());
    let content_type = content_type.unwrap_or(HeaderValue::from_static("application/grpc"));
    StoredResponse {
        trailers: Some(trailers),
        ..StoredResponse::new(StatusCode::OK, content_type, body)
    }
}
