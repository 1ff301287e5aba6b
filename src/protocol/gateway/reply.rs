use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};

use crate::protocol::json::{Json, NotJson};
use crate::protocol::parts;
use crate::protocol::reply::{Reply, ReplyItem};
use crate::protocol::stored_response::StoredResponse;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Whether a reply is a message that can be read.
pub(in crate::protocol) fn is_message(reply: &Reply<'_>) -> bool {
    reply.status == StatusCode::OK
        && !parts::is_encoded(reply.headers)
        && reply
            .headers
            .get(CONTENT_TYPE)
            .is_some_and(|content_type| content_type == JSON)
}

/// An answer of this text. It is copied, so that what is kept does not hold the buffer in memory that it was received in.
pub(in crate::protocol) fn known(text: &[u8], keep: bool) -> ReplyItem {
    let kept = StoredResponse::new(StatusCode::OK, JSON, Bytes::copy_from_slice(text));
    if keep {
        ReplyItem::verdict(kept)
    } else {
        ReplyItem::not_to_keep(kept)
    }
}

/// The reply to a bulk: what `before` says when told the server's comma, and the answers in a list, `no_answer` where
/// there is none.
pub(in crate::protocol) fn merge(
    answers: &[Option<&StoredResponse>],
    no_answer: &[u8],
    before: impl FnOnce(&str) -> String,
) -> StoredResponse {
    let comma = answers
        .iter()
        .flatten()
        .find_map(|kept| comma(&kept.body))
        .unwrap_or(",");
    let before = before(comma);
    let lengths = answers
        .iter()
        .map(|answer| answer.map_or(no_answer.len(), |kept| kept.body.len()) + 2);
    let mut body = Vec::with_capacity(before.len() + lengths.sum::<usize>() + 4);
    body.extend_from_slice(before.as_bytes());
    body.push(b'[');
    for (nth, answer) in answers.iter().enumerate() {
        if nth > 0 {
            body.extend_from_slice(comma.as_bytes());
        }
        body.extend_from_slice(answer.map_or(no_answer, |kept| &kept.body));
    }
    body.extend_from_slice(b"]}");
    StoredResponse::new(StatusCode::OK, JSON, body.into())
}

/// How the server that wrote an answer separates members. It differs between builds of one version, on purpose.
fn comma(answer: &[u8]) -> Option<&'static str> {
    let mut first_ends = None;
    let mut json = Json::new(answer).ok()?;
    json.object(|json, _| {
        json.value()?;
        first_ends.get_or_insert(json.position());
        Ok::<_, NotJson>(())
    })
    .ok()?;
    Some(if answer.get(first_ends?..)?.starts_with(b", ") {
        ", "
    } else {
        ","
    })
}
