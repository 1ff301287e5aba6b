//! Tokens inside the JSON body of a check.

use bytes::Bytes;

use crate::cache::{FingerprintBuilder, Part};
use crate::protocol::call::Unreadable;
use crate::protocol::kit::json::{Digest, Json, Members, NotJson, OTHER_CASE, Pointer, Rewrite, differs_in_case};

/// Adds the value of the body to `fingerprint`, except the value at `pointer`, and returns that value: the token. An object
/// on the way that holds nothing else is left out too.
pub(super) fn key(
    fingerprint: &mut FingerprintBuilder,
    body: &[u8],
    pointer: &Pointer,
    digest: &Digest,
) -> Result<Option<String>, Unreadable> {
    let mut json = Json::new(body)?;
    let mut found = Found::default();
    let members = members(&mut json, pointer.names(), digest, &mut found)?;
    json.end()?;
    members.feed(Part::Body, fingerprint);
    Ok(found.token)
}

/// What stands at the pointer.
#[derive(Default)]
struct Found {
    is_there: bool,
    /// Many clients send null or empty text if they have no token.
    token: Option<String>,
}

fn members(json: &mut Json<'_>, names: &[String], digest: &Digest, found: &mut Found) -> Result<Members, Unreadable> {
    let mut members = Members::default();
    let (expected, inner) = names.split_first().ok_or(NotJson)?;
    json.object(|json, name| {
        if differs_in_case(name, expected) {
            return Err(OTHER_CASE);
        }
        if name != expected {
            return Ok(digest.member(json, name, &mut members)?);
        }
        match (inner, json.peek()) {
            ([], Some(b'"')) => found.token = Some(json.string()?.into_owned()),
            ([], _) if json.scalar()? == "null" => {}
            ([], _) => return Err(Unreadable("the token in the body is not a string")),
            (inner, Some(b'{')) => {
                let rest = self::members(json, inner, digest, found)?;
                if !(found.is_there && rest.is_empty()) {
                    digest.object_member(name, &rest, &mut members);
                }
                return Ok(());
            }
            (_, Some(b'n')) => return Ok(digest.member(json, name, &mut members)?),
            _ => return Err(Unreadable("the token in the body is not inside an object")),
        }
        found.is_there = true;
        Ok(())
    })?;
    Ok(members)
}

/// The body with this token at the place `names`, or without the token that is there.
pub(super) fn with_token(body: &[u8], names: &[String], token: Option<&str>) -> Result<Bytes, NotJson> {
    let (name, inner) = names.split_first().ok_or(NotJson)?;
    let mut rewrite = Rewrite::of(body)?;
    let new = match (inner, rewrite.value(name)) {
        ([], _) => token.map(|token| serde_json::Value::from(token).to_string()),
        (inner, Some(object @ [b'{', ..])) => Some(text(&with_token(object, inner, token)?)?),
        (inner, _) if token.is_some() => Some(text(&with_token(b"{}", inner, token)?)?),
        _ => None,
    };
    match new.filter(|new| token.is_some() || !is_empty_object(new)) {
        Some(new) => rewrite.set(name, new),
        None => rewrite.remove(name),
    }
    Ok(rewrite.finish())
}

fn text(json: &[u8]) -> Result<String, NotJson> {
    String::from_utf8(json.to_vec()).map_err(|_| NotJson)
}

fn is_empty_object(json: &str) -> bool {
    json.split_ascii_whitespace().collect::<String>() == "{}"
}
