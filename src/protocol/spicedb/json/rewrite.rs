use std::ops::Range;

use bytes::Bytes;

use super::super::super::json::{Json, NotJson};

/// Where in a request that has been read before the parts stand that may be asked otherwise.
#[derive(Default)]
pub(super) struct Outline {
    /// Right behind the first brace.
    inside: usize,
    is_empty: bool,
    consistency: Option<Range<usize>>,
    list: Option<Range<usize>>,
    items: Vec<Range<usize>>,
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
                "items" if json.peek() == Some(b'[') => {
                    let start = json.position();
                    json.array(|json| {
                        outline.items.push(json.span()?);
                        Ok::<_, NotJson>(())
                    })?;
                    outline.list = Some(start..json.position());
                }
                _ => drop(json.value()?),
            }
            Ok::<_, NotJson>(())
        })
        .ok()?;
        Some(outline)
    }

    /// An item of a bulk.
    pub(super) fn item<'a>(&self, message: &'a [u8], index: usize) -> Option<&'a [u8]> {
        message.get(self.items.get(index)?.clone())
    }

    /// The request with this consistency and only the items `open`, where they are given.
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
            edits.push((self.list.clone()?, self.only(message, open)?));
        }
        edits.sort_unstable_by_key(|(old, _)| old.start);

        let mut body = Vec::with_capacity(message.len() + 200);
        let mut at = 0;
        for (old, new) in edits {
            body.extend_from_slice(message.get(at..old.start)?);
            body.extend_from_slice(&new);
            at = old.end;
        }
        body.extend_from_slice(message.get(at..)?);
        Some(body.into())
    }

    fn only(&self, message: &[u8], open: &[usize]) -> Option<Vec<u8>> {
        let mut list = vec![b'['];
        for (nth, &index) in open.iter().enumerate() {
            if nth > 0 {
                list.push(b',');
            }
            list.extend_from_slice(self.item(message, index)?);
        }
        list.push(b']');
        Some(list)
    }
}
