use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;

use crate::store::node::entry::Entry;
use crate::store::node::link::LinkError;
use crate::store::node::nats::error::failed;

/// Where batches end, so that they can be read in pieces of this size.
const USUAL_SIZE: usize = 512 << 10;

/// One message of a node's log.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Message {
    pub(super) node: Arc<str>,
    /// The process that wrote it.
    pub(super) writer: Arc<str>,
    /// The number of the node's last entry, up to here.
    pub(super) last: u64,
    /// With consecutive numbers. None if the message only says that a process begins to write.
    pub(super) entries: Vec<Entry>,
}

impl Message {
    pub(super) fn read(payload: &[u8], sequence: u64) -> Result<Self, LinkError> {
        serde_json::from_slice(payload)
            .map_err(|error| failed(format!("message {sequence} of the stream can't be read"), error))
    }

    /// The number of the first entry that can be read from here on.
    pub(super) fn first(&self) -> u64 {
        self.entries
            .first()
            .map_or(self.last.saturating_add(1), |entry| entry.number)
    }

    pub(super) fn entry(&self, number: u64) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.number == number)
    }
}

/// A message that is to be written.
pub(super) struct Packed {
    pub(super) last: u64,
    pub(super) payload: Bytes,
}

/// A message that only says that a process begins to write, after the entry `last`.
pub(super) fn claim(node: &str, writer: &str, last: u64) -> Bytes {
    [head(node, writer), foot(last)].concat().into()
}

/// Puts a node's entries into as few messages as possible, none longer than `most` bytes.
pub(super) fn pack(writer: &str, entries: &[Entry], most: usize) -> Result<Vec<Packed>, LinkError> {
    let Some(first) = entries.first() else {
        return Ok(Vec::new());
    };
    let head = head(&first.node, writer);
    let limit = most.saturating_sub(head.len() + foot(u64::MAX).len());
    let usual = limit.min(USUAL_SIZE);
    let mut all = Vec::new();
    let (mut text, mut last) = (head.clone(), 0);
    for entry in entries {
        let bytes = serde_json::to_vec(entry).map_err(|error| failed("an entry can't be written as JSON", error))?;
        if bytes.len() > limit {
            return Err(LinkError::TooLarge {
                number: entry.number,
                size: bytes.len(),
                limit,
            });
        }
        let is_first = text.len() == head.len();
        if !is_first && text.len() - head.len() + 1 + bytes.len() > usual {
            all.push(packed(std::mem::replace(&mut text, head.clone()), last));
        } else if !is_first {
            text.push(b',');
        }
        text.extend(bytes);
        last = entry.number;
    }
    all.push(packed(text, last));
    Ok(all)
}

fn packed(mut text: Vec<u8>, last: u64) -> Packed {
    text.extend(foot(last));
    Packed {
        last,
        payload: text.into(),
    }
}

fn head(node: &str, writer: &str) -> Vec<u8> {
    let node = serde_json::Value::from(node);
    format!(r#"{{"node":{node},"writer":"{writer}","entries":["#).into_bytes()
}

fn foot(last: u64) -> Vec<u8> {
    format!(r#"],"last":{last}}}"#).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revision::VectorClock;
    use crate::store::node::entry::Body;

    fn entry(number: u64, size: usize) -> Entry {
        Entry {
            node: "a \"quoted\" node".into(),
            number,
            time: number,
            saw: VectorClock::default(),
            body: Body::Joined("x".repeat(size).into()),
        }
    }

    fn read(packed: &[Packed]) -> Vec<Message> {
        packed
            .iter()
            .map(|packed| Message::read(&packed.payload, 1).unwrap())
            .collect()
    }

    #[test]
    fn entries_share_messages_up_to_the_limit() {
        let entries: Vec<_> = (1..=10).map(|number| entry(number, 100)).collect();
        let one = pack("w", &entries, 1 << 20).unwrap();
        assert_eq!(one.len(), 1);
        let several = pack("w", &entries, 700).unwrap();
        assert!((3..10).contains(&several.len()), "{}", several.len());
        for packed in [&one, &several] {
            assert!(packed.iter().all(|packed| packed.payload.len() <= 1 << 20));
            let messages = read(packed);
            let back: Vec<_> = messages.iter().flat_map(|message| message.entries.clone()).collect();
            assert_eq!(back, entries);
            assert_eq!(messages.last().unwrap().last, 10);
            assert!(
                messages
                    .iter()
                    .all(|message| message.entries.last().unwrap().number == message.last)
            );
        }
        assert!(several.iter().all(|packed| packed.payload.len() <= 700));
    }

    #[test]
    fn an_entry_over_the_limit_is_named() {
        let entries = [entry(1, 10), entry(2, 2000), entry(3, 10)];
        let error = pack("w", &entries, 1000).err().unwrap();
        assert!(
            matches!(
                error,
                LinkError::TooLarge {
                    number: 2,
                    size: 2000..,
                    limit: ..=1000
                }
            ),
            "{error}"
        );
    }

    #[test]
    fn a_claim_has_no_entries() {
        let message = Message::read(&claim("a\\b", "w", 7), 1).unwrap();
        assert_eq!((&*message.node, message.last, message.first()), ("a\\b", 7, 8));
        assert!(message.entries.is_empty());
    }
}
