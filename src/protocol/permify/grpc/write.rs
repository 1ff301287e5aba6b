use crate::protobuf::only;
use crate::protocol::grpc::{Status, written};
use crate::protocol::permify::snap_token::NOTHING_WRITTEN;
use crate::protocol::reply::{Reply, ReplyOutcome};

/// The field of a reply with the write's token.
const SNAP_TOKEN: u32 = 1;

/// The outcome of a write.
pub(super) fn learn(status: &Status<'_>, reply: &Reply<'_>, schema: bool) -> ReplyOutcome {
    let token = |message: &[u8]| if schema { None } else { token_in(message) };
    match written(status, reply, schema, token) {
        ReplyOutcome::Wrote { token: Some(token), .. } if token == NOTHING_WRITTEN => ReplyOutcome::NotWritten,
        learned => learned,
    }
}

fn token_in(message: &[u8]) -> Option<String> {
    let token = std::str::from_utf8(only(message, SNAP_TOKEN)?).ok()?;
    (!token.is_empty()).then(|| token.to_owned())
}
