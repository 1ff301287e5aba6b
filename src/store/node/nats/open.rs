use std::collections::HashMap;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt, TryStreamExt};

use crate::revision::VectorClock;
use crate::store::node::link::{LinkError, Opened};
use crate::store::node::nats::error::{failed, unavailable};
use crate::store::node::nats::feed;
use crate::store::node::nats::group::{Group, Stored};

/// How many requests are under way at a time.
const AT_ONCE: usize = 32;
/// How often a snapshot is read that newer ones replace.
const MOST_TRIES: usize = 5;

/// The ends of all logs at one moment.
struct Ends {
    /// Each log's subject and its last message.
    logs: Vec<(String, Stored)>,
    /// The last sequence of the stream before they were read.
    sequence: u64,
}

/// Where reading starts.
enum Start {
    /// At this sequence, all entries after a clock are in the stream.
    At(u64),
    /// The log of this node begins later.
    Trimmed(Arc<str>),
}

impl Group {
    pub(super) async fn open(self: &Arc<Self>, node: &str, after: &VectorClock) -> Result<Opened, LinkError> {
        self.on_one_connection(async {
            self.begin(node).await?;
            let ends = self.ends().await?;
            let mut from = after.clone();
            let mut snapshot = None;
            for _ in 0..MOST_TRIES {
                match self.start(&ends, &from).await? {
                    Start::At(sequence) => {
                        let clock = ends
                            .logs
                            .iter()
                            .map(|(_, last)| (last.message.node.clone(), last.message.last));
                        let incoming = feed::open(self, node, sequence, &from).await?;
                        return Ok(Opened::new(clock.collect(), incoming).after_snapshot(snapshot));
                    }
                    Start::Trimmed(log) => {
                        let read = self.read_snapshot().await?;
                        let read = read.filter(|read| snapshot.is_none() || read.clock > from);
                        let missing =
                            || unavailable(format!("entries of `{log}` are neither in its log nor in a snapshot"));
                        let read = read.ok_or_else(missing)?;
                        from = read.clock.clone();
                        snapshot = Some(read);
                    }
                }
            }
            Err(unavailable("newer snapshots replaced the one that was read each time"))
        })
        .await
    }

    async fn ends(&self) -> Result<Ends, LinkError> {
        let unreadable = |error| failed("the subjects of the stream can't be read", error);
        let info = self
            .stream
            .info_with_subjects(self.subjects.logs())
            .await
            .map_err(unreadable)?;
        let sequence = info.info.state.last_sequence;
        let subjects: HashMap<String, usize> = info.map_err(unreadable).try_collect().await?;
        let mut logs = Vec::new();
        for subject in subjects.into_keys() {
            logs.push(async move { Ok::<_, LinkError>((self.last_of_log(&subject).await?, subject)) });
        }
        let logs: Vec<_> = stream::iter(logs).buffer_unordered(AT_ONCE).try_collect().await?;
        let logs = logs.into_iter().filter_map(|(last, subject)| Some((subject, last?)));
        Ok(Ends {
            logs: logs.collect(),
            sequence,
        })
    }

    /// Where the entries after this clock begin. What is written from now on comes after `ends.sequence`.
    async fn start(&self, ends: &Ends, from: &VectorClock) -> Result<Start, LinkError> {
        let mut firsts = Vec::new();
        for (subject, last) in &ends.logs {
            let next = from.get(&last.message.node).saturating_add(1);
            if last.message.last >= next {
                firsts.push(async move { Ok::<_, LinkError>((next, self.find(subject, next, last).await?)) });
            }
        }
        let mut start = ends.sequence + 1;
        let mut firsts = std::pin::pin!(stream::iter(firsts).buffer_unordered(AT_ONCE));
        while let Some((next, first)) = firsts.try_next().await? {
            if first.message.first() > next {
                return Ok(Start::Trimmed(first.message.node));
            }
            start = start.min(first.sequence);
        }
        Ok(Start::At(start))
    }
}
