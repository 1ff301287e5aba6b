use std::ops::Range;

use bytes::Bytes;

use crate::protocol::gateway::{Edit, Items, splice};
use crate::protocol::json::{Json, NotJson};
use crate::token::Zookie;

/// The byte ranges of a request that forwarding may rewrite.
#[derive(Default)]
pub(super) struct Outline {
    metadata: Option<Metadata>,
    items: Option<Items>,
}

#[derive(Default)]
struct Metadata {
    /// The position after the brace.
    inside: usize,
    is_empty: bool,
    token: Option<Member>,
}

/// The token's member.
struct Member {
    /// The byte range of the name, if it is the camelCase name, which not all builds read.
    camel: Option<Range<usize>>,
    value: Range<usize>,
}

impl Outline {
    pub(super) fn of(message: &[u8]) -> Option<Self> {
        let mut outline = Self::default();
        Json::new(message)
            .and_then(|mut json| {
                json.object(|json, name| {
                    match name {
                        "metadata" if json.peek() == Some(b'{') => {
                            outline.metadata = Some(Metadata::read(json, message)?);
                        }
                        "items" if json.peek() == Some(b'[') => outline.items = Some(Items::read(json)?),
                        _ => drop(json.value()?),
                    }
                    Ok::<_, NotJson>(())
                })
            })
            .ok()?;
        Some(outline)
    }

    /// The request with this token, and a bulk with only its items `open`. `None` if the request needs no change.
    pub(super) fn rewritten(
        &self,
        message: &[u8],
        zookie: Option<&Zookie>,
        is_stated: bool,
        open: Option<&[usize]>,
    ) -> Option<Bytes> {
        let mut edits = Vec::new();
        if let Some(metadata) = &self.metadata {
            metadata.set_token(zookie, is_stated, &mut edits);
        }
        if let Some(open) = open {
            edits.push(self.items.as_ref()?.only(message, open)?);
        }
        if edits.is_empty() { None } else { splice(message, edits) }
    }
}

impl Metadata {
    fn read(json: &mut Json<'_>, message: &[u8]) -> Result<Self, NotJson> {
        json.peek();
        let inside = json.position() + 1;
        let mut metadata = Self {
            inside,
            is_empty: true,
            token: None,
        };
        let mut member_before = inside;
        json.object(|json, name| {
            metadata.is_empty = false;
            let named = member_before..json.position();
            let value = json.span()?;
            member_before = value.end;
            if matches!(name, "snap_token" | "snapToken") {
                let camel = if name == "snapToken" {
                    quoted(message, named)
                } else {
                    None
                };
                metadata.token = Some(Member { camel, value });
            }
            Ok::<_, NotJson>(())
        })?;
        Ok(metadata)
    }

    /// Replaces the token. A build that ignores the camelCase name would read at head. So the camelCase name is
    /// rewritten even if its token is already the right one.
    fn set_token(&self, zookie: Option<&Zookie>, is_stated: bool, edits: &mut Vec<Edit>) {
        // A zookie has no characters that JSON escapes, and an empty text means no token.
        let value = format!(r#""{}""#, zookie.map_or("", Zookie::as_str));
        let Some(member) = &self.token else {
            if !is_stated {
                let comma = if self.is_empty { "" } else { "," };
                let member = format!(r#""snap_token":{value}{comma}"#);
                edits.push((self.inside..self.inside, member.into_bytes()));
            }
            return;
        };
        if is_stated && (member.camel.is_none() || zookie.is_none()) {
            return;
        }
        if let Some(name) = &member.camel {
            edits.push((name.clone(), br#""snap_token""#.to_vec()));
        }
        edits.push((member.value.clone(), value.into_bytes()));
    }
}

/// The byte range of the quoted text in this part of a text.
fn quoted(text: &[u8], part: Range<usize>) -> Option<Range<usize>> {
    let within = text.get(part.clone())?;
    let first = within.iter().position(|byte| *byte == b'"')?;
    let last = within.iter().rposition(|byte| *byte == b'"')?;
    Some(part.start + first..part.start + last + 1)
}
