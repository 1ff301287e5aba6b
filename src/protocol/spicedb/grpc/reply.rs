use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::super::super::grpc::{Code, GRPC_MESSAGE, GRPC_STATUS, Status, content_type, message};
use super::super::super::{Kept, Learned, Reply, head};
use super::super::refused;
use super::consistency::token;
use crate::protobuf::fields;

/// Where the reply to a check, and to a bulk, bears its token.
pub(super) const CHECKED_AT: u32 = 1;

const DISPATCHED: HeaderName = HeaderName::from_static("io.spicedb.respmeta.dispatchedoperationscount");
const CACHED: HeaderName = HeaderName::from_static("io.spicedb.respmeta.cachedoperationscount");

/// The trailers of what is served from memory: how the call ended, and that it cost SpiceDB nothing.
pub(super) fn trailers(grpc_message: Option<HeaderValue>) -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(4);
    trailers.insert(GRPC_STATUS, HeaderValue::from_static("0"));
    if let Some(grpc_message) = grpc_message {
        trailers.insert(GRPC_MESSAGE, grpc_message);
    }
    trailers.insert(DISPATCHED, HeaderValue::from_static("0"));
    trailers.insert(CACHED, HeaderValue::from_static("1"));
    trailers
}

/// What may be kept of a reply beside its message, and its message.
pub(super) fn answer<'a>(status: &Status<'_>, reply: &Reply<'a>) -> Option<(Kept, &'a [u8])> {
    if status.code != Code::Ok || head::is_encoded(reply.headers) {
        return None;
    }
    let kept = Kept::new(StatusCode::OK, content_type(reply.headers)?, bytes::Bytes::new());
    Some((kept, message(reply.body).ok()?))
}

/// The token that a reply's message bears in the field of this number.
fn token_in(message: &[u8], number: u32) -> Option<String> {
    let mut found = None;
    for field in fields(message) {
        let field = field.ok()?;
        if field.number == number && found.replace(field.bytes().ok()?).is_some() {
            return None;
        }
    }
    text(found?)
}

/// The text of a `ZedToken`.
pub(super) fn text(zed_token: &[u8]) -> Option<String> {
    let token = std::str::from_utf8(token(zed_token)?).ok()?;
    Some(token.to_owned())
}

/// What the end of a write says.
pub(super) fn written(status: &Status<'_>, reply: &Reply<'_>, schema: bool, token: Option<u32>) -> Learned {
    match status.code {
        Code::Ok => {
            let message = message(reply.body).ok();
            let token = token
                .zip(message)
                .and_then(|(number, message)| token_in(message, number));
            Learned::Wrote { token, schema }
        }
        code if code.changed_nothing() => Learned::NotWritten,
        _ => Learned::Nothing,
    }
}

/// What the reply to a read that is never kept says: the revision of a unary one.
pub(super) fn read_at(status: &Status<'_>, reply: &Reply<'_>, token: Option<u32>) -> Option<Learned> {
    let (_, message) = answer(status, reply)?;
    let token = token_in(message, token?)?;
    Some(Learned::Answers {
        items: Vec::new(),
        token: Some(token),
    })
}

/// Whether SpiceDB would not answer at the revision that it was told.
pub(super) fn refuses_revision(status: &Status<'_>) -> bool {
    refused::refuses_revision(status.code, status.message.map_or(&b""[..], HeaderValue::as_bytes))
}
