use bytes::Bytes;
use http::{HeaderValue, StatusCode};

use crate::changes::Verdict;
use crate::protocol::authzen::request::Semantic;
use crate::protocol::kit::json::{Json, NotJson};
use crate::protocol::reply::ReplyItem;
use crate::protocol::stored_response::StoredResponse;

/// The item of a merged reply for a missing answer: a denial with an error, in the API's own form.
const NO_ANSWER: &[u8] =
    br#"{"decision":false,"context":{"error":{"status":502,"message":"the upstream did not answer this evaluation"}}}"#;

/// A decision object.
struct Decision {
    decision: bool,
    has_context: bool,
    failed: bool,
}

impl Decision {
    fn read(json: &mut Json<'_>) -> Result<Self, NotJson> {
        let mut decision = None;
        let (mut has_context, mut failed) = (false, false);
        json.object(|json, name| {
            match name {
                "decision" => {
                    decision = Some(match json.scalar()? {
                        "true" => true,
                        "false" => false,
                        _ => return Err(NotJson),
                    });
                }
                "context" if json.peek() == Some(b'{') => {
                    has_context = true;
                    json.object(|json, name| {
                        failed |= name == "error";
                        json.value().map(drop)
                    })?;
                }
                "context" => {
                    has_context = true;
                    failed |= json.value()? != "null";
                }
                name => {
                    failed |= matches!(name, "error" | "evaluations");
                    json.value()?;
                }
            }
            Ok(())
        })?;
        Ok(Self {
            decision: decision.ok_or(NotJson)?,
            has_context,
            failed,
        })
    }
}

/// The verdict of a stored decision.
pub(super) fn verdict(stored: &StoredResponse) -> Option<bool> {
    let mut json = Json::new(&stored.body).ok()?;
    Decision::read(&mut json).ok().map(|decision| decision.decision)
}

/// The reply to one evaluation.
pub(super) fn single(body: &[u8]) -> Result<ReplyItem, NotJson> {
    let mut json = Json::new(body)?;
    let text = json.value()?;
    json.end()?;
    let decision = Decision::read(&mut Json::new(text.as_bytes())?)?;
    Ok(reply_item(text, decision.decision, !decision.failed))
}

/// The reply to `asked` evaluations.
pub(super) fn several(body: &[u8], asked: usize, semantic: Semantic) -> Result<Vec<ReplyItem>, NotJson> {
    let mut json = Json::new(body)?;
    let mut items = Vec::new();
    let mut stopped = false;
    json.object(|json, name| match name {
        "evaluations" => json.array(|json| {
            if items.len() == asked {
                return Err(NotJson);
            }
            let text = json.value()?;
            let decision = Decision::read(&mut Json::new(text.as_bytes())?)?;
            stopped = semantic.stops_at(decision.decision);
            // The context of the decision that ended a bulk may mention that end, which is not part of the answer.
            let store = !(decision.failed || stopped && decision.has_context);
            items.push(reply_item(text, decision.decision, store));
            Ok(())
        }),
        "decision" => json.value().map(drop),
        _ => Err(NotJson),
    })?;
    json.end()?;
    if items.len() == asked || stopped {
        Ok(items)
    } else {
        Err(NotJson)
    }
}

fn reply_item(text: &str, allowed: bool, store: bool) -> ReplyItem {
    let verdict = if allowed { Verdict::Yes } else { Verdict::No };
    // A copy: one stored answer must not keep the whole reply in memory.
    let stored = json_reply(Bytes::copy_from_slice(text.as_bytes()));
    if store {
        ReplyItem::decision(stored).verdict(verdict)
    } else {
        ReplyItem::unstored(stored)
    }
}

/// The reply to several evaluations. It ends where the upstream would have stopped.
pub(super) fn merge(answers: &[Option<&StoredResponse>], semantic: Semantic) -> StoredResponse {
    let mut body = Vec::with_capacity(
        answers
            .iter()
            .flatten()
            .map(|stored| stored.body.len() + 1)
            .sum::<usize>()
            + 20,
    );
    body.extend_from_slice(br#"{"evaluations":["#);
    for (index, answer) in answers.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        body.extend_from_slice(answer.map_or(NO_ANSWER, |stored| &stored.body));
        let decision = || answer.and_then(verdict).unwrap_or(false);
        if semantic != Semantic::ExecuteAll && semantic.stops_at(decision()) {
            break;
        }
    }
    body.extend_from_slice(b"]}");
    json_reply(body.into())
}

fn json_reply(body: Bytes) -> StoredResponse {
    StoredResponse::new(StatusCode::OK, HeaderValue::from_static("application/json"), body)
}
