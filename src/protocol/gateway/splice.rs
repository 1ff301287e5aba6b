use std::ops::Range;

use bytes::Bytes;

use crate::protocol::json::{Json, NotJson};

/// A byte range of a text, and the bytes that replace it.
pub(in crate::protocol) type Edit = (Range<usize>, Vec<u8>);

/// The text with these edits, which must not overlap. The rest stays byte for byte.
pub(in crate::protocol) fn splice(text: &[u8], mut edits: Vec<Edit>) -> Option<Bytes> {
    edits.sort_unstable_by_key(|(old, _)| old.start);
    let more: usize = edits.iter().map(|(_, new)| new.len()).sum();
    let mut spliced = Vec::with_capacity(text.len() + more);
    let mut at = 0;
    for (old, new) in edits {
        spliced.extend_from_slice(text.get(at..old.start)?);
        spliced.extend_from_slice(&new);
        at = old.end;
    }
    spliced.extend_from_slice(text.get(at..)?);
    Some(spliced.into())
}

/// The byte ranges of a bulk's items.
pub(in crate::protocol) struct Items {
    list: Range<usize>,
    items: Vec<Range<usize>>,
}

impl Items {
    /// Reads an array.
    pub(in crate::protocol) fn read(json: &mut Json<'_>) -> Result<Self, NotJson> {
        json.peek();
        let start = json.position();
        let mut items = Vec::new();
        json.array(|json| {
            items.push(json.span()?);
            Ok::<_, NotJson>(())
        })?;
        Ok(Self {
            list: start..json.position(),
            items,
        })
    }

    /// The text of an item.
    pub(in crate::protocol) fn item<'a>(&self, message: &'a [u8], index: usize) -> Option<&'a [u8]> {
        message.get(self.items.get(index)?.clone())
    }

    /// The edit that leaves only the items `open`.
    pub(in crate::protocol) fn only(&self, message: &[u8], open: &[usize]) -> Option<Edit> {
        let mut list = vec![b'['];
        for (nth, &index) in open.iter().enumerate() {
            if nth > 0 {
                list.push(b',');
            }
            list.extend_from_slice(self.item(message, index)?);
        }
        list.push(b']');
        Some((self.list.clone(), list))
    }
}
