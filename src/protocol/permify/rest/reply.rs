use http::StatusCode;

use crate::protocol::gateway;
use crate::protocol::gateway::{failed_write, is_message, reply_item};
use crate::protocol::json::{Json, NotJson};
use crate::protocol::permify::snap_token::NOTHING_WRITTEN;
use crate::protocol::reply::{Reply, ReplyItem, ReplyOutcome};
use crate::protocol::stored_response::StoredResponse;

/// The item of a merged reply for a missing answer: a denial, in the API's own form.
const NO_ANSWER: &[u8] = br#"{"can":"CHECK_RESULT_DENIED","metadata":{"check_count":0}}"#;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Allowed,
    Denied,
}

/// What the reply to a check says.
pub(super) fn check(reply: &Reply<'_>) -> Option<ReplyOutcome> {
    let mut json = Json::new(message(reply)?).ok()?;
    verdict(&mut json).ok()??;
    json.end().ok()?;
    Some(answers(vec![reply_item(reply.body, true)]))
}

/// Reads a `PermissionCheckResponse`; `None` if it is not a plain verdict.
fn verdict(json: &mut Json<'_>) -> Result<Option<Verdict>, NotJson> {
    let (mut verdict, mut is_counted, mut is_plain) = (None, false, true);
    json.object(|json, name| {
        match name {
            "can" => {
                verdict = match json.value()? {
                    "\"CHECK_RESULT_ALLOWED\"" => Some(Verdict::Allowed),
                    "\"CHECK_RESULT_DENIED\"" => Some(Verdict::Denied),
                    _ => None,
                }
            }
            "metadata" => is_counted = is_count(json.value()?)?,
            _ => {
                json.value()?;
                is_plain = false;
            }
        }
        Ok::<_, NotJson>(())
    })?;
    Ok(verdict.filter(|_| is_counted && is_plain))
}

/// Whether a text is a `PermissionCheckResponseMetadata` with only the number of checks.
fn is_count(text: &str) -> Result<bool, NotJson> {
    if !text.starts_with('{') {
        return Ok(false);
    }
    let (mut is_counted, mut is_plain) = (false, true);
    Json::new(text.as_bytes())?.object(|json, name| {
        let value = json.value()?;
        match name {
            "check_count" | "checkCount" => is_counted = value.parse::<i32>().is_ok(),
            _ => is_plain = false,
        }
        Ok::<_, NotJson>(())
    })?;
    Ok(is_counted && is_plain)
}

/// What the reply to an expansion says.
pub(super) fn expand(reply: &Reply<'_>) -> Option<ReplyOutcome> {
    let (mut is_there, mut is_plain) = (false, true);
    let mut json = Json::new(message(reply)?).ok()?;
    json.object(|json, name| {
        let value = json.value()?;
        match name {
            "tree" => is_there = value.starts_with('{'),
            _ => is_plain = false,
        }
        Ok::<_, NotJson>(())
    })
    .ok()?;
    json.end().ok()?;
    (is_there && is_plain).then(|| answers(vec![reply_item(reply.body, true)]))
}

/// What the reply to a bulk of `asked` items says. A denial is for this caller only, because Permify also denies an
/// item whose check failed.
pub(super) fn bulk(reply: &Reply<'_>, asked: usize) -> Option<ReplyOutcome> {
    let (mut items, mut is_plain) = (Vec::with_capacity(asked), true);
    let mut json = Json::new(message(reply)?).ok()?;
    json.object(|json, name| match name {
        "results" => json.array(|json| {
            let text = json.value()?;
            let verdict = verdict(&mut Json::new(text.as_bytes())?)?;
            items.push(reply_item(text.as_bytes(), verdict == Some(Verdict::Allowed)));
            Ok(())
        }),
        _ => {
            is_plain = false;
            json.value().map(drop)
        }
    })
    .ok()?;
    json.end().ok()?;
    items.iter_mut().for_each(|item: &mut ReplyItem| item.store &= is_plain);
    (items.len() == asked).then(|| answers(items))
}

fn message<'a>(reply: &Reply<'a>) -> Option<&'a [u8]> {
    is_message(reply).then_some(reply.body)
}

/// Answers without a token: replies to reads have none.
fn answers(items: Vec<ReplyItem>) -> ReplyOutcome {
    ReplyOutcome::Answers { items, token: None }
}

/// The outcome of a write of relationships or attributes.
pub(super) fn write(reply: &Reply<'_>) -> ReplyOutcome {
    if reply.status != StatusCode::OK {
        return failed_write(reply);
    }
    let token = message(reply).and_then(|body| token(body).ok()?);
    if token.as_deref() == Some(NOTHING_WRITTEN) {
        return ReplyOutcome::NotWritten;
    }
    ReplyOutcome::Wrote { token, schema: false }
}

/// The outcome of a write of the schema. Its reply has no token.
pub(super) fn schema(reply: &Reply<'_>) -> ReplyOutcome {
    if reply.status != StatusCode::OK {
        return failed_write(reply);
    }
    ReplyOutcome::Wrote {
        token: None,
        schema: true,
    }
}

/// The token in a message.
fn token(body: &[u8]) -> Result<Option<String>, NotJson> {
    let mut token = None;
    let mut json = Json::new(body)?;
    json.object(|json, name| {
        match name {
            "snap_token" | "snapToken" if json.peek() == Some(b'"') => token = Some(json.string()?.into_owned()),
            _ => drop(json.value()?),
        }
        Ok::<_, NotJson>(())
    })?;
    json.end()?;
    Ok(token.filter(|token| !token.is_empty()))
}

/// The reply from the answers to a bulk's items.
pub(in crate::protocol::permify) fn merge(answers: &[Option<&StoredResponse>]) -> StoredResponse {
    gateway::merge(answers, NO_ANSWER, |_| r#"{"results":"#.to_owned())
}
