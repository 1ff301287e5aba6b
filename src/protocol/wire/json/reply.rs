use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};

use crate::protocol::kit::json::{Json, NotJson};
use crate::protocol::kit::parts;
use crate::protocol::reply::Reply;
use crate::protocol::stored_response::StoredResponse;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The content type and the message of a reply, if it is readable.
pub(super) fn answer<'a>(reply: &Reply<'a>) -> Option<(HeaderValue, &'a [u8])> {
    let content_type = reply.headers.get(CONTENT_TYPE)?;
    let is_message = reply.status == StatusCode::OK && !parts::is_encoded(reply.headers) && content_type == JSON;
    is_message.then_some((JSON, &**reply.body))
}

/// The reply to a bulk: the text that `before` returns for the server's comma, and a list of the answers. A missing
/// answer is `missing`.
pub(super) fn merge(
    answers: &[Option<&StoredResponse>],
    missing: &dyn Fn(usize) -> Bytes,
    before: impl FnOnce(&str) -> String,
) -> StoredResponse {
    let comma = answers
        .iter()
        .flatten()
        .find_map(|answer| comma(&answer.body))
        .unwrap_or(",");
    let before = before(comma);
    let length: usize = answers.iter().flatten().map(|answer| answer.body.len() + 2).sum();
    let mut body = Vec::with_capacity(before.len() + length + 4);
    body.extend_from_slice(before.as_bytes());
    body.push(b'[');
    for (nth, answer) in answers.iter().enumerate() {
        if nth > 0 {
            body.extend_from_slice(comma.as_bytes());
        }
        match answer {
            Some(answer) => body.extend_from_slice(&answer.body),
            None => body.extend_from_slice(&missing(nth)),
        }
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
