use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::protocol::grpc::content_type::content_type;
use crate::protocol::grpc::frame::message;
use crate::protocol::grpc::status::{Code, GRPC_MESSAGE, GRPC_STATUS, Status};
use crate::protocol::parts;
use crate::protocol::reply::{Reply, ReplyOutcome};
use crate::protocol::stored_response::StoredResponse;

/// The trailers of a reply from the cache: the status OK and its message.
pub(in crate::protocol) fn trailers(grpc_message: Option<HeaderValue>) -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(4);
    trailers.insert(GRPC_STATUS, HeaderValue::from_static("0"));
    if let Some(grpc_message) = grpc_message {
        trailers.insert(GRPC_MESSAGE, grpc_message);
    }
    trailers
}

/// What the cache may store of a reply except its message, and the message.
pub(in crate::protocol) fn answer<'a>(status: &Status<'_>, reply: &Reply<'a>) -> Option<(StoredResponse, &'a [u8])> {
    if status.code != Code::Ok || parts::is_encoded(reply.headers) {
        return None;
    }
    let stored = StoredResponse::new(StatusCode::OK, content_type(reply.headers)?, Bytes::new());
    Some((stored, message(reply.body).ok()?))
}

/// A complete reply, for the cache, with these trailers. The body is a copy: a stored reply must not keep its receive
/// buffer in memory.
pub(in crate::protocol) fn whole(answer: StoredResponse, reply: &Reply<'_>, trailers: HeaderMap) -> StoredResponse {
    StoredResponse {
        body: Bytes::copy_from_slice(reply.body),
        trailers: Some(trailers),
        ..answer
    }
}

/// The outcome of a write. `token` finds the token in the message of its reply.
pub(in crate::protocol) fn written(
    status: &Status<'_>,
    reply: &Reply<'_>,
    schema: bool,
    token: impl FnOnce(&[u8]) -> Option<String>,
) -> ReplyOutcome {
    match status.code {
        Code::Ok => {
            let token = message(reply.body).ok().and_then(token);
            ReplyOutcome::Wrote { token, schema }
        }
        code if code.changed_nothing() => ReplyOutcome::NotWritten,
        _ => ReplyOutcome::Nothing,
    }
}

/// A reply to a bulk, made from these answers.
pub(in crate::protocol) fn merged(
    answers: &[Option<&StoredResponse>],
    body: Bytes,
    trailers: HeaderMap,
) -> StoredResponse {
    let content_type = answers.iter().flatten().find_map(|answer| answer.content_type.clone());
    let content_type = content_type.unwrap_or(HeaderValue::from_static("application/grpc"));
    StoredResponse {
        trailers: Some(trailers),
        ..StoredResponse::new(StatusCode::OK, content_type, body)
    }
}
