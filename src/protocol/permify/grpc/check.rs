use crate::protobuf::{NotProtobuf, fields};
use crate::protocol::grpc::{Status, answer, trailers, whole};
use crate::protocol::reply::{Reply, ReplyItem, ReplyOutcome};
use crate::protocol::stored_response::copied;

/// What a `PermissionCheckResponse` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Can {
    Allowed,
    Denied,
    /// Not a plain answer: it has no verdict, or a repeated or unknown field.
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

/// Whether an answer's metadata has only the number of checks, which is absent if it is zero.
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

/// What the reply to one question says. The cache may store it if `is_plain` accepts its message.
pub(super) fn learn(
    status: &Status<'_>,
    reply: &Reply<'_>,
    is_plain: impl FnOnce(&[u8]) -> Result<bool, NotProtobuf>,
) -> Option<ReplyOutcome> {
    let (response, message) = answer(status, reply)?;
    let store = is_plain(message).ok()?;
    let response = whole(response, reply, trailers(status.message.map(copied)));
    let item = if store {
        ReplyItem::decision(response)
    } else {
        ReplyItem::unstored(response)
    };
    Some(ReplyOutcome::Answers {
        items: vec![item],
        token: None,
    })
}
