use crate::protobuf::{NotProtobuf, fields};
use crate::protocol::grpc::{Status, answer, trailers, whole};
use crate::protocol::reply::{Reply, ReplyItem, ReplyOutcome};
use crate::protocol::stored_response::own;

/// What a `PermissionCheckResponse` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Can {
    Allowed,
    Denied,
    /// There is something in it that is no part of a plain answer: no verdict, something twice, something unknown.
    Other,
}

impl Can {
    pub(super) fn read(message: &[u8]) -> Result<Self, NotProtobuf> {
        const CAN: u32 = 1;
        const METADATA: u32 = 2;
        let (mut can, mut metadata, mut more) = (None, None, false);
        for field in fields(message) {
            let field = field?;
            more |= match field.number {
                CAN => can.replace(field.varint()?).is_some(),
                METADATA => metadata.replace(field.bytes()?).is_some(),
                _ => true,
            };
        }
        more |= !counts_checks(metadata.unwrap_or_default())?;
        Ok(match can {
            Some(1) if !more => Self::Allowed,
            Some(2) if !more => Self::Denied,
            _ => Self::Other,
        })
    }
}

/// Whether an answer's metadata says how many checks it took, and nothing else. Zero goes without saying.
fn counts_checks(metadata: &[u8]) -> Result<bool, NotProtobuf> {
    const CHECK_COUNT: u32 = 1;
    let mut count = None;
    let mut more = false;
    for field in fields(metadata) {
        let field = field?;
        more |= match field.number {
            CHECK_COUNT => count.replace(field.varint()?).is_some(),
            _ => true,
        };
    }
    Ok(!more)
}

/// Whether a `PermissionCheckResponse` is a plain verdict.
pub(super) fn is_verdict(message: &[u8]) -> Result<bool, NotProtobuf> {
    Ok(Can::read(message)? != Can::Other)
}

/// Whether a `PermissionExpandResponse` is one tree, and nothing else.
pub(super) fn is_tree(message: &[u8]) -> Result<bool, NotProtobuf> {
    const TREE: u32 = 1;
    let mut fields = fields(message);
    let (Some(field), None) = (fields.next().transpose()?, fields.next()) else {
        return Ok(false);
    };
    Ok(field.number == TREE && !field.bytes()?.is_empty())
}

/// What the reply to one question says. It may be kept where `is_plain` says so of its message.
pub(super) fn learn(
    status: &Status<'_>,
    reply: &Reply<'_>,
    is_plain: impl FnOnce(&[u8]) -> Result<bool, NotProtobuf>,
) -> Option<ReplyOutcome> {
    let (kept, message) = answer(status, reply)?;
    let keep = is_plain(message).ok()?;
    let kept = whole(kept, reply, trailers(status.message.map(own)));
    let known = if keep {
        ReplyItem::verdict(kept)
    } else {
        ReplyItem::not_to_keep(kept)
    };
    Some(ReplyOutcome::Answers {
        items: vec![known],
        token: None,
    })
}
