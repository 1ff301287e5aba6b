use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};

use crate::protocol::json::{Json, NotJson};
use crate::protocol::parts;
use crate::protocol::reply::{Reply, ReplyItem};
use crate::protocol::stored_response::StoredResponse;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Whether a reply is a readable message.
pub(in crate::protocol) fn is_message(reply: &Reply<'_>) -> bool {
    reply.status == StatusCode::OK
        && !parts::is_encoded(reply.headers)
        && reply
            .headers
            .get(CONTENT_TYPE)
            .is_some_and(|content_type| content_type == JSON)
}

/// An answer with this text, and whether the cache may store it. The text is a copy: a stored answer must not keep its
/// receive buffer in memory.
pub(in crate::protocol) fn reply_item(text: &[u8], store: bool) -> ReplyItem {
    let response = StoredResponse::new(StatusCode::OK, JSON, Bytes::copy_from_slice(text));
    if store {
        ReplyItem::decision(response)
    } else {
        ReplyItem::unstored(response)
    }
}

/// The reply to a bulk: the text that `before` returns for the server's comma, and a list of the answers. A missing
/// answer is `no_answer`.
pub(in crate::protocol) fn merge(
    answers: &[Option<&StoredResponse>],
    no_answer: &[u8],
    before: impl FnOnce(&str) -> String,
) -> StoredResponse {
    let comma = answers
        .iter()
        .flatten()
        .find_map(|answer| comma(&answer.body))
        .unwrap_or(",");
    let before = before(comma);
    let lengths = answers
        .iter()
        .map(|answer| answer.map_or(no_answer.len(), |answer| answer.body.len()) + 2);
    let mut body = Vec::with_capacity(before.len() + lengths.sum::<usize>() + 4);
    body.extend_from_slice(before.as_bytes());
    body.push(b'[');
    for (nth, answer) in answers.iter().enumerate() {
        if nth > 0 {
            body.extend_from_slice(comma.as_bytes());
        }
        body.extend_from_slice(answer.map_or(no_answer, |answer| &answer.body));
    }
    body.extend_from_slice(b"]}");
    StoredResponse::new(StatusCode::OK, JSON, body.into())
}

/// The comma that the server of an answer writes between members. Builds of the same version differ in it on purpose.
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
