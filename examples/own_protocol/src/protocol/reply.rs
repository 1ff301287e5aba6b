use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use tower_zookie::changes::Verdict;
use tower_zookie::protocol::kit::json::{Json, NotJson, Pointer, Rewrite};
use tower_zookie::protocol::kit::parts;
use tower_zookie::protocol::{Reply, ReplyItem, ReplyOutcome, StoredResponse};
use tower_zookie::token::Zookie;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The result in a merged reply where there is no answer.
const NO_ANSWER: &[u8] = br#"{"error":"the service did not answer this check"}"#;

/// The reply to one check.
pub(super) fn one(reply: &Reply<'_>) -> Result<ReplyOutcome, NotJson> {
    let token = revision(reply)?;
    Ok(ReplyOutcome::Answers {
        items: vec![item(reply.body)?],
        token: Some(token),
    })
}

/// The reply to a bulk of `asked` checks.
pub(super) fn several(reply: &Reply<'_>, asked: usize) -> Result<ReplyOutcome, NotJson> {
    let token = revision(reply)?;
    let mut items = Vec::new();
    let mut json = Json::new(reply.body)?;
    json.object(|json, name| match name {
        "results" => json.array(|json| {
            items.push(item(json.value()?.as_bytes())?);
            Ok(())
        }),
        _ => json.value().map(drop),
    })?;
    json.end()?;
    match items.len() == asked {
        true => Ok(ReplyOutcome::Answers {
            items,
            token: Some(token),
        }),
        false => Err(NotJson),
    }
}

/// The reply to a write.
pub(super) fn written(reply: &Reply<'_>) -> Result<ReplyOutcome, NotJson> {
    Ok(ReplyOutcome::Wrote {
        token: Some(revision(reply)?),
        schema: false,
    })
}

/// The member `revision`. A reply without it is not read at all.
fn revision(reply: &Reply<'_>) -> Result<String, NotJson> {
    if parts::is_encoded(reply.headers) {
        return Err(NotJson);
    }
    let pointer = Pointer::parse("revision").map_err(|_| NotJson)?;
    let text = pointer.find(reply.body)?.ok_or(NotJson)?;
    Ok(Json::new(text.as_bytes())?.string()?.into_owned())
}

/// One answer. An error in its place is for its caller only.
fn item(text: &[u8]) -> Result<ReplyItem, NotJson> {
    let (mut verdict, mut is_error) = (None, false);
    Json::new(text)?.object(|json, name| match name {
        "allowed" => {
            verdict = match json.scalar()? {
                "true" => Some(Verdict::Yes),
                "false" => Some(Verdict::No),
                _ => None,
            };
            Ok(())
        }
        name => {
            is_error |= name == "error";
            json.value().map(drop)
        }
    })?;
    // A copy: a stored answer must not keep the whole reply in memory.
    let stored = StoredResponse::new(StatusCode::OK, JSON, Bytes::copy_from_slice(text));
    match (verdict, is_error) {
        (Some(verdict), false) => Ok(ReplyItem::decision(stored).verdict(verdict)),
        (_, true) => Ok(ReplyItem::unstored(stored)),
        (None, false) => Err(NotJson),
    }
}

/// A stored reply to one check, with another revision.
pub(super) fn restated(stored: &StoredResponse, zookie: &Zookie) -> Result<StoredResponse, NotJson> {
    let mut rewrite = Rewrite::of(&stored.body)?;
    rewrite.set("revision", format!("\"{zookie}\""));
    let mut restated = stored.clone();
    restated.body = rewrite.finish();
    Ok(restated)
}

/// The reply to a bulk, made from the answers to its checks.
pub(super) fn merged(answers: &[Option<&StoredResponse>], zookie: Option<&Zookie>) -> StoredResponse {
    let results: Vec<&[u8]> = answers
        .iter()
        .map(|answer| answer.map_or(NO_ANSWER, |answer| &answer.body))
        .collect();
    let mut body = br#"{"results":["#.to_vec();
    body.extend(results.join(&b','));
    body.push(b']');
    if let Some(zookie) = zookie {
        body.extend(format!(r#","revision":"{zookie}""#).into_bytes());
    }
    body.push(b'}');
    StoredResponse::new(StatusCode::OK, JSON, body.into())
}
