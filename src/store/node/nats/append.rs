use async_nats::jetstream::context::PublishErrorKind;

use crate::store::node::entry::Entry;
use crate::store::node::link::LinkError;
use crate::store::node::nats::error::{failed, unavailable};
use crate::store::node::nats::group::{Group, Stored};
use crate::store::node::nats::message::{Packed, claim, pack};
use crate::store::node::nats::tail::{End, Tail};

/// How often a write is tried that another one overtakes.
const MOST_TRIES: usize = 10;

impl Group {
    /// Makes sure that from now on only this process can append to a node's log.
    ///
    /// The first time, this writes a message without entries. A former process of this node expects that the last message is
    /// its own, so what it still writes is refused, also what is already on its way. So whoever starts last, writes.
    pub(super) async fn begin(&self, node: &str) -> Result<(), LinkError> {
        let subject = self.log(node)?;
        let tail = self.tail(node);
        let mut tail = tail.lock().await;
        for _ in 0..MOST_TRIES {
            let last = self.last_of_log(&subject).await?;
            let end = end_of(last.as_ref());
            match tail.known {
                Some(known) if end.sequence < known.sequence => return Err(lost_its_end()),
                Some(known) if end.sequence == known.sequence && !tail.in_doubt => return Ok(()),
                Some(known) if end.sequence > known.sequence => {
                    if last.is_none_or(|last| *last.message.writer != *self.writer) {
                        return Err(LinkError::Taken);
                    }
                    // The write in doubt has succeeded.
                    (tail.known, tail.in_doubt) = (Some(end), false);
                    return Ok(());
                }
                _ => {}
            }
            let payload = claim(node, &self.writer, end.number);
            match self.publish(subject.clone(), payload, end.sequence).await {
                Ok(sequence) => {
                    (tail.known, tail.in_doubt) = (Some(End { sequence, ..end }), false);
                    return Ok(());
                }
                Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => {}
                Err(error) => return Err(failed("a message is not acknowledged", error)),
            }
        }
        Err(overtaken())
    }

    /// Appends what the log does not have yet.
    pub(super) async fn append_all(&self, entries: &[Entry]) -> Result<(), LinkError> {
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
            return Ok(());
        };
        // Before anything is written: either all can be carried, or nothing is.
        let mut all = Some(pack(&self.writer, entries, self.max_payload())?);
        let subject = self.log(&first.node)?;
        let tail = self.tail(&first.node);
        let mut tail = tail.lock().await;
        for _ in 0..MOST_TRIES {
            let end = self.end(&mut tail, &subject, entries).await?;
            if end.number >= last.number {
                return Ok(());
            }
            let stored = (end.number + 1 - first.number) as usize;
            let messages = match all.take().filter(|_| stored == 0) {
                Some(all) => all,
                None => pack(&self.writer, &entries[stored..], self.max_payload())?,
            };
            if self.write(&mut tail, end, &subject, messages).await? {
                return Ok(());
            }
        }
        Err(overtaken())
    }

    /// Writes messages at the end of a log. Whether the end was where it was expected.
    async fn write(
        &self,
        tail: &mut Tail,
        mut end: End,
        subject: &str,
        messages: Vec<Packed>,
    ) -> Result<bool, LinkError> {
        for packed in messages {
            // Also if this is not waited for.
            tail.in_doubt = true;
            match self.publish(subject.to_owned(), packed.payload, end.sequence).await {
                Ok(sequence) => {
                    end = End {
                        sequence,
                        number: packed.last,
                    };
                    (tail.known, tail.in_doubt) = (Some(end), false);
                }
                Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => return Ok(false),
                Err(error) => return Err(failed("a message is not acknowledged", error)),
            }
        }
        Ok(true)
    }

    /// Where the log ends, if it ends just before these entries, or has some of them.
    async fn end(&self, tail: &mut Tail, subject: &str, entries: &[Entry]) -> Result<End, LinkError> {
        let first = entries[0].number;
        if tail.in_doubt || tail.known.is_none() {
            let last = self.last_of_log(subject).await?;
            let end = end_of(last.as_ref());
            match tail.known {
                Some(known) if end.sequence < known.sequence => return Err(lost_its_end()),
                Some(known) if end.sequence > known.sequence && end.number < first => return Err(LinkError::Taken),
                _ => {}
            }
            let end = match last {
                Some(last) if end.number >= first => self.own_end(subject, entries, &last).await?,
                _ => end,
            };
            let newer = tail.known.filter(|known| known.sequence > end.sequence);
            (tail.known, tail.in_doubt) = (Some(newer.unwrap_or(end)), false);
        }
        let known = tail.known.unwrap_or_default();
        if known.number >= first {
            let last = self.last_of_log(subject).await?.ok_or_else(lost_its_end)?;
            let own = self.own_end(subject, entries, &last).await?;
            return Ok(End {
                number: own.number,
                ..known
            });
        }
        if known.number + 1 < first {
            let ends = known.number;
            let what =
                format!("the log of the node ends with entry {ends}, and the next would have the number {first}");
            return Err(unavailable(what));
        }
        Ok(known)
    }

    /// The message with the last one of these entries that the log has. Another process may have written it: then its content
    /// differs, if only by its time.
    async fn own_end(&self, subject: &str, entries: &[Entry], last: &Stored) -> Result<End, LinkError> {
        let first = entries[0].number;
        let number = last.message.last.min(first + (entries.len() as u64 - 1));
        let found = self.find(subject, number, last).await?;
        if found.message.entry(number) != Some(&entries[(number - first) as usize]) {
            return Err(LinkError::Taken);
        }
        Ok(End {
            sequence: found.sequence,
            number,
        })
    }
}

fn end_of(last: Option<&Stored>) -> End {
    last.map_or_else(End::default, |last| End {
        sequence: last.sequence,
        number: last.message.last,
    })
}

fn lost_its_end() -> LinkError {
    unavailable("the log of the node has lost its last entries; was an old copy of the stream restored?")
}

fn overtaken() -> LinkError {
    unavailable("other writes to the log of the node were faster each time")
}
