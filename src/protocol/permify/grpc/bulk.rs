use bytes::Bytes;
use http::HeaderValue;

use crate::protobuf::{fields, write_bytes};
use crate::protocol::grpc::{Status, answer, frame, merged, trailers};
use crate::protocol::permify::grpc::check::Can;
use crate::protocol::reply::{Reply, ReplyItem, ReplyOutcome};
use crate::protocol::stored_response::StoredResponse;

/// The field of a reply with the answer to one item.
const RESULT: u32 = 1;

/// A denial that needed no check.
const UNANSWERED: [u8; 4] = [0x08, 2, 0x12, 0];

/// What the reply to a bulk says about the items `asked`. A denial is for this caller only, because Permify also denies
/// an item whose check failed.
pub(super) fn learn(status: &Status<'_>, reply: &Reply<'_>, asked: &[usize]) -> Option<ReplyOutcome> {
    let (response, message) = answer(status, reply)?;
    let mut items = Vec::with_capacity(asked.len());
    let mut more = false;
    for field in fields(message) {
        let field = field.ok()?;
        if field.number != RESULT {
            more = true;
            continue;
        }
        if items.len() == asked.len() {
            return None;
        }
        let result = field.bytes().ok()?;
        // A copy: one stored answer must not keep the whole reply in memory.
        let body = Bytes::copy_from_slice(result);
        let stored = StoredResponse {
            body,
            ..response.clone()
        };
        items.push(match Can::read(result).ok()? {
            Can::Allowed => ReplyItem::decision(stored),
            Can::Denied | Can::Other => ReplyItem::unstored(stored),
        });
    }
    if items.len() < asked.len() {
        return None;
    }
    items.iter_mut().for_each(|item| item.store &= !more);
    Some(ReplyOutcome::Answers { items, token: None })
}

/// The reply to a bulk from the answers to its items. An item without an answer is denied.
pub(in crate::protocol::permify) fn merge(answers: &[Option<&StoredResponse>]) -> StoredResponse {
    let results: usize = answers.iter().flatten().map(|answer| answer.body.len() + 8).sum();
    let body = frame(results, |into| {
        for answer in answers {
            write_bytes(into, RESULT, answer.map_or(&UNANSWERED, |answer| &answer.body));
        }
    });
    merged(answers, body, trailers(Some(HeaderValue::from_static(""))))
}
