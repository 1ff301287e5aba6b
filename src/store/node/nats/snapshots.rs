use std::cmp::Ordering;

use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::StreamMessage;
use bytes::Bytes;
use futures_util::stream::TryStreamExt;
use serde::{Deserialize, Serialize};

use crate::revision::VectorClock;
use crate::store::node::entry::Snapshot;
use crate::store::node::link::LinkError;
use crate::store::node::nats::error::{failed, unavailable};
use crate::store::node::nats::group::Group;
use crate::store::node::spelled;

/// The size of one chunk, or less where the server takes only less.
const CHUNK: usize = 512 << 10;
/// How often a snapshot is stored, or read, that others overtake.
const MOST_TRIES: usize = 5;

/// Which snapshot is the current one.
#[derive(Debug, Serialize, Deserialize)]
struct Pointer {
    /// The subject of its chunks.
    chunks: String,
    count: usize,
    size: usize,
    #[serde(with = "spelled::clock")]
    clock: VectorClock,
}

impl Pointer {
    fn read(stored: &StreamMessage) -> Result<Self, LinkError> {
        serde_json::from_slice(&stored.payload)
            .map_err(|error| failed("the message that names the snapshot can't be read", error))
    }
}

/// # Why no entry is lost
///
/// At each moment each acknowledged entry is in its node's log, or in the snapshot that the pointer names:
///
/// 1. The pointer is one subject, and each message there is written by compare-and-set: it takes the place of a message that
///    was read before, and its clock is at or above the one there. So the pointer's clock never goes back.
/// 2. A log is only trimmed up to a clock that the pointer had before. By 1, the snapshot that the pointer names now includes
///    what was trimmed, whoever trims, and however late.
/// 3. The chunks of the snapshot that the pointer names are there. They are written before it, in the same stream, which keeps
///    its order. Chunks are removed only after the pointer has moved on from message `replaced` to another one, and then only
///    those which were to take the place of `replaced` or an earlier message. The pointer can't name these any more: its
///    compare-and-set expects a message that is no longer the last one.
///
/// So of two snapshots at the same time, one becomes the current one. The other is written again if its clock is at or above
/// that, and is dropped otherwise. A reader whose snapshot is replaced meanwhile misses a chunk and reads the pointer again.
impl Group {
    pub(super) async fn store(&self, snapshot: &Snapshot) -> Result<(), LinkError> {
        let bytes =
            serde_json::to_vec(snapshot).map_err(|error| failed("a snapshot can't be written as JSON", error))?;
        let bytes = Bytes::from(bytes);
        for _ in 0..MOST_TRIES {
            let pointer = self.last(&self.subjects.pointer()).await?;
            let replaced = pointer.as_ref().map_or(0, |pointer| pointer.sequence);
            if let Some(pointer) = pointer {
                match snapshot.clock.partial_cmp(&Pointer::read(&pointer)?.clock) {
                    Some(Ordering::Greater) => {}
                    // A former call may have failed before the logs were trimmed.
                    Some(Ordering::Equal) => return self.trim(&snapshot.clock).await,
                    Some(Ordering::Less) | None => return Ok(()),
                }
            }
            let chunks = self.subjects.snapshot(replaced, rand::random());
            if let Some(count) = self.write_chunks(&chunks, &bytes).await? {
                let pointer = Pointer {
                    chunks: chunks.clone(),
                    count,
                    size: bytes.len(),
                    clock: snapshot.clock.clone(),
                };
                let pointer = serde_json::to_vec(&pointer)
                    .map_err(|error| failed("the name of a snapshot can't be written as JSON", error))?;
                let subject = self.subjects.pointer();
                if self.replace(subject, pointer.into(), replaced).await?.is_some() {
                    self.clean_up(replaced, &chunks).await?;
                    return self.trim(&snapshot.clock).await;
                }
            }
            // Another snapshot was faster.
            self.remove(&chunks).await?;
        }
        Err(unavailable("other nodes stored snapshots faster each time"))
    }

    /// The current snapshot.
    pub(super) async fn read_snapshot(&self) -> Result<Option<Snapshot>, LinkError> {
        for _ in 0..MOST_TRIES {
            let Some(stored) = self.last(&self.subjects.pointer()).await? else {
                return Ok(None);
            };
            let pointer = Pointer::read(&stored)?;
            if let Some(bytes) = self.read_chunks(&pointer).await? {
                let snapshot = serde_json::from_slice(&bytes);
                return Ok(Some(
                    snapshot.map_err(|error| failed("the snapshot can't be read", error))?,
                ));
            }
        }
        Err(unavailable("chunks of the snapshot are missing"))
    }

    /// How many there are. `None` if another snapshot was faster, and some were removed.
    async fn write_chunks(&self, subject: &str, bytes: &Bytes) -> Result<Option<usize>, LinkError> {
        let size = CHUNK.min(self.max_payload()).max(1);
        let (mut count, mut last) = (0, 0);
        for start in (0..bytes.len()).step_by(size) {
            let chunk = bytes.slice(start..bytes.len().min(start + size));
            match self.replace(subject.to_owned(), chunk, last).await? {
                Some(sequence) => last = sequence,
                None => return Ok(None),
            }
            count += 1;
        }
        Ok(Some(count))
    }

    /// Writes a message. `None` if the last one of its subject is not the expected one.
    async fn replace(&self, subject: String, payload: Bytes, expected: u64) -> Result<Option<u64>, LinkError> {
        match self.publish(subject, payload, expected).await {
            Ok(sequence) => Ok(Some(sequence)),
            Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => Ok(None),
            Err(error) => Err(failed("a part of a snapshot is not acknowledged", error)),
        }
    }

    /// `None` if they were removed meanwhile.
    async fn read_chunks(&self, pointer: &Pointer) -> Result<Option<Vec<u8>>, LinkError> {
        let mut bytes = Vec::new();
        let mut sequence = 0;
        for _ in 0..pointer.count {
            let Some(chunk) = self.next(&pointer.chunks, sequence).await? else {
                return Ok(None);
            };
            bytes.extend_from_slice(&chunk.payload);
            sequence = chunk.sequence + 1;
        }
        Ok((bytes.len() == pointer.size).then_some(bytes))
    }

    /// Removes what the pointer can't name any more, after it has moved on from its message `replaced` to these chunks.
    async fn clean_up(&self, replaced: u64, chunks: &str) -> Result<(), LinkError> {
        let purge = self.stream.purge().filter(self.subjects.pointer()).keep(1);
        purge.await.map_err(|error| failed("a purge failed", error))?;
        let unreadable = |error| failed("the subjects of the stream can't be read", error);
        let all = self.stream.info_with_subjects(self.subjects.chunks()).await;
        let all: Vec<(String, usize)> = all.map_err(unreadable)?.map_err(unreadable).try_collect().await?;
        for (subject, _) in all {
            let is_old = self
                .subjects
                .replaced(&subject)
                .is_some_and(|of_subject| of_subject <= replaced);
            if is_old && subject != chunks {
                self.remove(&subject).await?;
            }
        }
        Ok(())
    }

    async fn remove(&self, subject: &str) -> Result<(), LinkError> {
        let purged = self.stream.purge().filter(subject).await;
        purged.map(|_| ()).map_err(|error| failed("a purge failed", error))
    }

    /// Removes the messages that have only entries up to this clock. The last message of a log stays: it says where the log ends.
    async fn trim(&self, clock: &VectorClock) -> Result<(), LinkError> {
        for (node, number) in clock.iter() {
            let subject = self.log(node)?;
            let Some(last) = self.last_of_log(&subject).await? else {
                continue;
            };
            let kept = if last.message.last > number {
                self.find(&subject, number + 1, &last).await?.sequence
            } else {
                last.sequence
            };
            // A server takes 0 and 1 for no limit, and would remove everything.
            if kept <= 1 {
                continue;
            }
            let purged = self.stream.purge().filter(subject).sequence(kept).await;
            purged.map_err(|error| failed("a purge failed", error))?;
        }
        Ok(())
    }
}
