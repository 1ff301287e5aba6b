use std::time::SystemTime;

use http::StatusCode;

use crate::protocol::gateway;
use crate::protocol::gateway::{failed_write, is_message, reply_item};
use crate::protocol::json::{Json, NotJson};
use crate::protocol::reply::{Reply, ReplyItem, ReplyOutcome};
use crate::protocol::spicedb::json::expiry::until;
use crate::protocol::spicedb::json::question::Echo;
use crate::protocol::spicedb::json::rewrite::Outline;
use crate::protocol::stored_response::StoredResponse;
use crate::token::Zookie;

/// The member with the token of a check's answer.
pub(super) const CHECKED_AT: &str = "checkedAt";

/// Reads a `ZedToken`.
fn token(json: &mut Json<'_>) -> Result<Option<String>, NotJson> {
    let mut token = None;
    if json.peek() == Some(b'n') {
        json.scalar()?;
        return Ok(None);
    }
    json.object(|json, name| {
        match name {
            "token" => token = Some(json.string()?.into_owned()),
            _ => drop(json.value()?),
        }
        Ok::<_, NotJson>(())
    })?;
    Ok(token)
}

/// The token in this member of a message.
fn token_in(body: &[u8], member: &str) -> Result<Option<String>, NotJson> {
    let mut found = None;
    let mut json = Json::new(body)?;
    json.object(|json, name| {
        if name == member {
            found = token(json)?;
        } else {
            json.value()?;
        }
        Ok::<_, NotJson>(())
    })?;
    json.end()?;
    Ok(found)
}

/// A verdict while it is read: a `CheckPermissionResponse`, or an item of a bulk.
#[derive(Default)]
struct Verdict {
    known: bool,
    /// It has something that a plain answer does not have, such as a trace or an unknown member.
    more: bool,
}

impl Verdict {
    fn member(&mut self, json: &mut Json<'_>, name: &str) -> Result<(), NotJson> {
        match name {
            "permissionship" => {
                self.known = matches!(
                    json.value()?,
                    "\"PERMISSIONSHIP_NO_PERMISSION\""
                        | "\"PERMISSIONSHIP_HAS_PERMISSION\""
                        | "\"PERMISSIONSHIP_CONDITIONAL_PERMISSION\""
                );
            }
            "partialCaveatInfo" => drop(json.value()?),
            "debugTrace" => self.more |= json.value()? != "null",
            _ => {
                json.value()?;
                self.more = true;
            }
        }
        Ok(())
    }

    fn is_plain(&self) -> bool {
        self.known && !self.more
    }
}

/// What the reply to a check says.
pub(super) fn check(reply: &Reply<'_>, now: SystemTime) -> Option<ReplyOutcome> {
    if !is_message(reply) {
        return None;
    }
    let (mut verdict, mut at, mut expires_in) = (Verdict::default(), None, None);
    let mut json = Json::new(reply.body).ok()?;
    json.object(|json, name| {
        match name {
            CHECKED_AT => at = token(json)?,
            "optionalExpiresAt" if json.peek() == Some(b'"') => expires_in = Some(until(&json.string()?, now)?),
            "optionalExpiresAt" => verdict.more |= json.value()? != "null",
            _ => verdict.member(json, name)?,
        }
        Ok::<_, NotJson>(())
    })
    .ok()?;
    json.end().ok()?;
    Some(ReplyOutcome::Answers {
        items: vec![ReplyItem {
            expires_in,
            ..reply_item(reply.body, verdict.is_plain())
        }],
        token: Some(at?),
    })
}

/// What the reply to a bulk says about the items `asked` of the request `message`.
pub(super) fn bulk(reply: &Reply<'_>, message: &[u8], asked: &[usize]) -> Option<ReplyOutcome> {
    if !is_message(reply) {
        return None;
    }
    let outline = Outline::of(message)?;
    let echo = Echo::new();
    let mut asked = asked.iter();
    let (mut items, mut at, mut more) = (Vec::with_capacity(asked.len()), None, false);
    let mut json = Json::new(reply.body).ok()?;
    json.object(|json, name| match name {
        CHECKED_AT => {
            at = token(json)?;
            Ok(())
        }
        "pairs" => json.array(|json| {
            let item = asked
                .next()
                .and_then(|index| outline.item(message, *index))
                .ok_or(NotJson)?;
            items.push(pair(json.value()?, item, &echo)?);
            Ok(())
        }),
        _ => {
            more = true;
            json.value().map(drop)
        }
    })
    .ok()?;
    json.end().ok()?;
    if asked.next().is_some() {
        return None;
    }
    items.iter_mut().for_each(|item| item.store &= !more);
    Some(ReplyOutcome::Answers {
        items,
        token: Some(at?),
    })
}

/// A pair of a bulk's reply. It must be the pair of the item that was asked.
fn pair(text: &str, item: &[u8], echo: &Echo) -> Result<ReplyItem, NotJson> {
    let (mut verdict, mut is_about) = (Verdict::default(), false);
    Json::new(text.as_bytes())?.object(|json, name| {
        match name {
            "request" => is_about = echo.is_about(json.value()?.as_bytes(), item),
            "item" => json.object(|json, name| verdict.member(json, name))?,
            _ => {
                json.value()?;
                verdict.more = true;
            }
        }
        Ok::<_, NotJson>(())
    })?;
    if is_about {
        Ok(reply_item(text.as_bytes(), verdict.is_plain()))
    } else {
        Err(NotJson)
    }
}

/// The outcome of a write.
pub(super) fn write(reply: &Reply<'_>, schema: bool, token: Option<&str>) -> ReplyOutcome {
    if reply.status == StatusCode::OK {
        let token = token
            .filter(|_| is_message(reply))
            .and_then(|member| token_in(reply.body, member).ok()?);
        return ReplyOutcome::Wrote { token, schema };
    }
    failed_write(reply)
}

/// The outcome of a read that is never stored.
pub(super) fn listing(reply: &Reply<'_>, member: &str) -> Option<ReplyOutcome> {
    if !is_message(reply) {
        return None;
    }
    Some(ReplyOutcome::Answers {
        items: Vec::new(),
        token: Some(token_in(reply.body, member).ok()??),
    })
}

/// The item of a merged reply for a missing answer: an error, in the API's own form.
const NO_ANSWER: &[u8] =
    br#"{"request":null,"error":{"code":14,"message":"the upstream did not answer this item","details":[]}}"#;

/// The reply from the answers to a bulk's items, in the order in which the gateway writes its members.
pub(in crate::protocol::spicedb) fn merge(
    answers: &[Option<&StoredResponse>],
    zookie: Option<&Zookie>,
) -> StoredResponse {
    gateway::merge(answers, NO_ANSWER, |comma| match zookie {
        // A zookie has no characters that JSON escapes.
        Some(zookie) => format!(r#"{{"checkedAt":{{"token":"{zookie}"}}{comma}"pairs":"#),
        None => format!(r#"{{"checkedAt":null{comma}"pairs":"#),
    })
}
