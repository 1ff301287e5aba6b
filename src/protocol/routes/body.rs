//! Tokens inside the JSON body of a check.

use crate::cache::{FingerprintBuilder, Part};
use crate::protocol::call::Unreadable;
use crate::protocol::digest::{Digest, Members};
use crate::protocol::json::{Json, NotJson, OTHER_CASE, differs_in_case};

/// Adds the value of the body to `fingerprint`, except the member `field`, and returns that member: the token.
pub(super) fn key(
    fingerprint: &mut FingerprintBuilder,
    body: &[u8],
    field: &str,
    digest: &Digest,
) -> Result<Option<String>, Unreadable> {
    let mut json = Json::new(body)?;
    let mut members = Members::default();
    let mut token = None;
    json.object(|json, name| {
        if differs_in_case(name, field) {
            return Err(OTHER_CASE);
        }
        if name != field {
            return Ok(digest.member(json, name, &mut members)?);
        }
        match json.peek() {
            Some(b'"') => token = Some(json.string()?.into_owned()),
            // Many clients send null or empty text if they have no token.
            _ if json.scalar()? == "null" => {}
            _ => return Err(Unreadable("the token in the body is not a string")),
        }
        Ok(())
    })?;
    json.end()?;
    members.feed(Part::Body, fingerprint);
    Ok(token)
}

/// The body with this token in the member `field`, or without that member.
pub(super) fn with_token(body: &[u8], field: &str, token: Option<&str>) -> Option<Vec<u8>> {
    let mut json = Json::new(body).ok()?;
    let mut members: Vec<(String, &str)> = Vec::new();
    json.object(|json, name| {
        let value = json.value()?;
        if name != field {
            members.push((name.to_owned(), value));
        }
        Ok::<_, NotJson>(())
    })
    .ok()?;
    let token = token.map(serde_json::to_string).transpose().ok()?;
    members.extend(token.as_deref().map(|token| (field.to_owned(), token)));
    let mut rewritten = Vec::with_capacity(body.len() + field.len() + token.as_ref().map_or(0, String::len) + 8);
    for (nth, (name, value)) in members.iter().enumerate() {
        rewritten.push(if nth == 0 { b'{' } else { b',' });
        serde_json::to_writer(&mut rewritten, name).ok()?;
        rewritten.push(b':');
        rewritten.extend_from_slice(value.as_bytes());
    }
    if members.is_empty() {
        rewritten.push(b'{');
    }
    rewritten.push(b'}');
    Some(rewritten)
}
