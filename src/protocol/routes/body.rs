//! Tokens inside the JSON body of a check.

use bytes::Bytes;

use crate::cache::{FingerprintBuilder, Part};
use crate::protocol::call::Unreadable;
use crate::protocol::kit::json::{Digest, Json, Members, NotJson, OTHER_CASE, Rewrite, differs_in_case};

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
pub(super) fn with_token(body: &[u8], field: &str, token: Option<&str>) -> Result<Bytes, NotJson> {
    let mut rewrite = Rewrite::of(body)?;
    match token {
        Some(token) => rewrite.set(field, serde_json::Value::from(token).to_string()),
        None => rewrite.remove(field),
    }
    Ok(rewrite.finish())
}
