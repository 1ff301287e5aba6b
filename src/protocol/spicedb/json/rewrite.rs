use std::ops::Range;

use bytes::Bytes;

use crate::protocol::gateway::{Items, splice};
use crate::protocol::json::{Json, NotJson};

/// The byte ranges of a request that forwarding may rewrite.
#[derive(Default)]
pub(super) struct Outline {
    /// The position after the first brace.
    inside: usize,
    is_empty: bool,
    consistency: Option<Range<usize>>,
    items: Option<Items>,
}

impl Outline {
    pub(super) fn of(message: &[u8]) -> Option<Self> {
        let mut outline = Self {
            is_empty: true,
            ..Self::default()
        };
        let mut json = Json::new(message).ok()?;
        json.peek();
        outline.inside = json.position() + 1;
        json.object(|json, name| {
            outline.is_empty = false;
            match name {
                "consistency" => outline.consistency = Some(json.span()?),
                "items" if json.peek() == Some(b'[') => outline.items = Some(Items::read(json)?),
                _ => drop(json.value()?),
            }
            Ok::<_, NotJson>(())
        })
        .ok()?;
        Some(outline)
    }

    /// An item of a bulk.
    pub(super) fn item<'a>(&self, message: &'a [u8], index: usize) -> Option<&'a [u8]> {
        self.items.as_ref()?.item(message, index)
    }

    /// The request with this consistency, and a bulk with only its items `open`. `None` leaves either of them
    /// unmodified.
    pub(super) fn rewritten(&self, message: &[u8], consistency: Option<&str>, open: Option<&[usize]>) -> Option<Bytes> {
        let mut edits = Vec::new();
        if let Some(consistency) = consistency {
            edits.push(match &self.consistency {
                Some(old) => (old.clone(), consistency.as_bytes().to_vec()),
                None => {
                    let comma = if self.is_empty { "" } else { "," };
                    let member = format!(r#""consistency":{consistency}{comma}"#);
                    (self.inside..self.inside, member.into_bytes())
                }
            });
        }
        if let Some(open) = open {
            edits.push(self.items.as_ref()?.only(message, open)?);
        }
        splice(message, edits)
    }
}
