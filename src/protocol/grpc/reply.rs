use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::protocol::grpc::content_type::content_type;
use crate::protocol::grpc::frame::message;
use crate::protocol::grpc::status::{Code, GRPC_MESSAGE, GRPC_STATUS, Status};
use crate::protocol::parts;
use crate::protocol::reply::{Reply, ReplyOutcome};
use crate::protocol::stored_response::StoredResponse;

/// The trailers of what is served from memory: how the call ended.
pub(in crate::protocol) fn trailers(grpc_message: Option<HeaderValue>) -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(4);
    trailers.insert(GRPC_STATUS, HeaderValue::from_static("0"));
    if let Some(grpc_message) = grpc_message {
        trailers.insert(GRPC_MESSAGE, grpc_message);
    }
    trailers
}

/// What may be kept of a reply beside its message, and its message.
pub(in crate::protocol) fn answer<'a>(status: &Status<'_>, reply: &Reply<'a>) -> Option<(StoredResponse, &'a [u8])> {
    if status.code != Code::Ok || parts::is_encoded(reply.headers) {
        return None;
    }
    let kept = StoredResponse::new(StatusCode::OK, content_type(reply.headers)?, Bytes::new());
    Some((kept, message(reply.body).ok()?))
}

/// The whole of a reply, to be kept with these trailers. Copied, so that what is kept does not hold the buffer in memory
/// that it was received in.
pub(in crate::protocol) fn whole(answer: StoredResponse, reply: &Reply<'_>, trailers: HeaderMap) -> StoredResponse {
    StoredResponse {
        body: Bytes::copy_from_slice(reply.body),
        trailers: Some(trailers),
        ..answer
    }
}

/// What the end of a write says. `token` finds the token in its reply's message.
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

/// A reply to a bulk that was made of these answers.
pub(in crate::protocol) fn merged(
    answers: &[Option<&StoredResponse>],
    body: Bytes,
    trailers: HeaderMap,
) -> StoredResponse {
    let content_type = answers.iter().flatten().find_map(|kept| kept.content_type.clone());
    let content_type = content_type.unwrap_or(HeaderValue::from_static("application/grpc"));
    StoredResponse {
        trailers: Some(trailers),
        ..StoredResponse::new(StatusCode::OK, content_type, body)
    }
}
