use http::{HeaderMap, HeaderName, HeaderValue};

use crate::protobuf::only;
use crate::protocol::grpc;
use crate::protocol::grpc::Status;
use crate::protocol::reply::{Reply, ReplyOutcome};
use crate::protocol::spicedb::grpc::consistency::token;
use crate::protocol::spicedb::rejected;

/// The field with the token, in the reply to a check and to a bulk.
pub(super) const CHECKED_AT: u32 = 1;

const DISPATCHED: HeaderName = HeaderName::from_static("io.spicedb.respmeta.dispatchedoperationscount");
const CACHED: HeaderName = HeaderName::from_static("io.spicedb.respmeta.cachedoperationscount");

/// The trailers of a reply from the cache: the status OK, and that SpiceDB dispatched nothing.
pub(super) fn trailers(grpc_message: Option<HeaderValue>) -> HeaderMap {
    let mut trailers = grpc::trailers(grpc_message);
    trailers.insert(DISPATCHED, HeaderValue::from_static("0"));
    trailers.insert(CACHED, HeaderValue::from_static("1"));
    trailers
}

/// The text of a `ZedToken`.
pub(super) fn text(zed_token: &[u8]) -> Option<String> {
    let token = std::str::from_utf8(token(zed_token)?).ok()?;
    Some(token.to_owned())
}

/// The outcome of a write. `token` is the field with the token in its reply.
pub(super) fn written(status: &Status<'_>, reply: &Reply<'_>, schema: bool, token: Option<u32>) -> ReplyOutcome {
    grpc::written(status, reply, schema, |message| text(only(message, token?)?))
}

/// The outcome of a read that is never stored: the revision of a unary reply.
pub(super) fn read_at(status: &Status<'_>, reply: &Reply<'_>, token: Option<u32>) -> Option<ReplyOutcome> {
    let (_, message) = grpc::answer(status, reply)?;
    let token = text(only(message, token?)?)?;
    Some(ReplyOutcome::Answers {
        items: Vec::new(),
        token: Some(token),
    })
}

/// Whether SpiceDB rejected the revision of the request.
pub(super) fn rejects_revision(status: &Status<'_>) -> bool {
    rejected::rejects_revision(status.code, status.message.map_or(&b""[..], HeaderValue::as_bytes))
}
