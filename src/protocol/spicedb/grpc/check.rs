use std::time::SystemTime;

use crate::protobuf::{NotProtobuf, fields};
use crate::protocol::grpc::{Status, answer, until, whole};
use crate::protocol::reply::{Reply, ReplyItem, ReplyOutcome};
use crate::protocol::spicedb::grpc::reply;
use crate::protocol::spicedb::grpc::reply::CHECKED_AT;
use crate::protocol::stored_response::copied;

const PERMISSIONSHIP: u32 = 2;
const PARTIAL_CAVEAT_INFO: u32 = 3;
const OPTIONAL_EXPIRES_AT: u32 = 5;

/// A `CheckPermissionResponse`.
#[derive(Debug, Default)]
struct Checked<'a> {
    at: Option<&'a [u8]>,
    verdict: Option<u64>,
    caveat: Option<&'a [u8]>,
    expires_at: Option<&'a [u8]>,
    /// The response has something that a plain answer does not have: a trace, or a repeated or unknown field.
    more: bool,
}

impl<'a> Checked<'a> {
    fn read(message: &'a [u8]) -> Result<Self, NotProtobuf> {
        let mut checked = Self::default();
        for field in fields(message) {
            let field = field?;
            checked.more |= match field.number {
                CHECKED_AT => checked.at.replace(field.bytes()?).is_some(),
                PERMISSIONSHIP => checked.verdict.replace(field.varint()?).is_some(),
                PARTIAL_CAVEAT_INFO => checked.caveat.replace(field.bytes()?).is_some(),
                OPTIONAL_EXPIRES_AT => checked.expires_at.replace(field.bytes()?).is_some(),
                _ => true,
            };
        }
        Ok(checked)
    }
}

/// Whether a `permissionship` is a known verdict: no, yes or conditional.
pub(super) fn is_verdict(permissionship: Option<u64>) -> bool {
    matches!(permissionship, Some(1..=3))
}

/// What the reply to a check says.
pub(super) fn learn(status: &Status<'_>, reply: &Reply<'_>, now: SystemTime) -> Option<ReplyOutcome> {
    let (response, message) = answer(status, reply)?;
    let checked = Checked::read(message).ok()?;
    let token = reply::text(checked.at?)?;
    let expires_in = checked.expires_at.map(|end| until(end, now)).transpose();
    let item = ReplyItem {
        response: whole(response, reply, reply::trailers(status.message.map(copied))),
        store: is_verdict(checked.verdict) && !checked.more && expires_in.is_ok(),
        expires_in: expires_in.ok().flatten(),
    };
    Some(ReplyOutcome::Answers {
        items: vec![item],
        token: Some(token),
    })
}
