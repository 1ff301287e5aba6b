use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

use crate::revision::VectorClock;
use crate::store::node::entry::{Body, Entry};
use crate::store::node::link::LinkError;

/// What happens to the entries of an append that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AppendFailure {
    /// They are not stored, as on a full disk.
    NothingStored,
    /// Only the first of them is stored.
    FirstStored,
    /// They are stored, and only the reply is lost.
    AllStored,
}

/// Where a node runs: its log, and the ways that lead here from the others.
pub(super) struct Place {
    pub(super) name: Arc<str>,
    pub(super) id: Arc<str>,
    pub(super) log: Log,
    pub(super) failure: Option<AppendFailure>,
    /// How often the streams of this place were interrupted.
    pub(super) interruptions: u64,
    /// By the number of the place where they begin.
    pub(super) ways: Vec<Way>,
    /// Streams that wait for something to happen.
    pub(super) waiting: Vec<Waker>,
}

impl Place {
    pub(super) fn new(name: &str, id: String) -> Self {
        Self {
            name: name.into(),
            id: id.into(),
            log: Log::default(),
            failure: None,
            interruptions: 0,
            ways: Vec::new(),
            waiting: Vec::new(),
        }
    }
}

/// The entries of one node.
#[derive(Default)]
pub(super) struct Log {
    /// The number of the last entry that was dropped because a snapshot has it.
    trimmed: u64,
    entries: VecDeque<Entry>,
    /// The link that appended the last entry.
    writer: u64,
}

impl Log {
    pub(super) fn end(&self) -> u64 {
        self.trimmed + self.entries.len() as u64
    }

    /// The number of the last entry that is no longer here.
    pub(super) fn trimmed(&self) -> u64 {
        self.trimmed
    }

    /// Whether the log has the first entry of a node that has joined.
    pub(super) fn begins(&self) -> bool {
        self.get(1).is_some_and(|entry| matches!(entry.body, Body::Joined(_)))
    }

    /// The entry with this number, if the log still has it.
    pub(super) fn get(&self, number: u64) -> Option<&Entry> {
        let index = number.checked_sub(self.trimmed + 1)?;
        self.entries.get(usize::try_from(index).ok()?)
    }

    /// Appends an entry that the link `writer` was given.
    pub(super) fn append(&mut self, writer: u64, entry: &Entry) -> Result<(), LinkError> {
        if entry.number <= self.end() {
            let is_ours = self.writer == writer && self.get(entry.number).is_none_or(|stored| stored == entry);
            return if is_ours { Ok(()) } else { Err(LinkError::Taken) };
        }
        if entry.number != self.end() + 1 {
            let problem = format!("entry {} can't follow entry {} of its log", entry.number, self.end());
            return Err(LinkError::unavailable(problem));
        }
        self.entries.push_back(entry.clone());
        self.writer = writer;
        Ok(())
    }

    /// Drops the entries up to this one.
    pub(super) fn trim(&mut self, last: u64) {
        while self.trimmed < last && self.entries.pop_front().is_some() {
            self.trimmed += 1;
        }
    }
}

/// The way from one node to another.
#[derive(Default)]
pub(super) struct Way {
    /// How long it is, if not as long as all others.
    pub(super) delay: Option<Duration>,
    pub(super) is_cut: bool,
    /// The number of the last entry that has arrived.
    arrived: u64,
    /// When the entries after that arrive. Those of the log that are not even here have not been sent.
    under_way: VecDeque<Instant>,
    reports: VecDeque<(Instant, VectorClock)>,
    /// The last report that has arrived, and how many have.
    report: Option<VectorClock>,
    reported: u64,
}

impl Way {
    /// Sends the entries up to `end` that have not been sent, unless the way is cut. Each takes as long as `delay` says.
    pub(super) fn send(&mut self, end: u64, now: Instant, mut delay: impl FnMut() -> Duration) {
        if self.is_cut {
            return;
        }
        while self.arrived + (self.under_way.len() as u64) < end {
            let alone = now + delay();
            let arrives = self.under_way.back().map_or(alone, |last| alone.max(*last));
            self.under_way.push_back(arrives);
        }
    }

    /// The first entry is there at once, unless the way is cut.
    pub(super) fn join(&mut self) {
        if !self.is_cut && self.arrived == 0 && self.under_way.is_empty() {
            self.arrived = 1;
        }
    }

    /// Sends a report; it is lost if the way is cut.
    pub(super) fn report(&mut self, clock: &VectorClock, arrives: Instant) {
        if !self.is_cut {
            self.reports.push_back((arrives, clock.clone()));
        }
    }

    /// Entries that are under way will be sent again.
    pub(super) fn cut(&mut self, now: Instant) {
        self.settle(now);
        self.is_cut = true;
        self.under_way.clear();
        self.reports.clear();
    }

    /// What has arrived is lost, and will be sent again.
    pub(super) fn forget(&mut self) {
        self.arrived = 0;
        self.under_way.clear();
    }

    /// Notes what has arrived by now.
    pub(super) fn settle(&mut self, now: Instant) {
        while self.under_way.front().is_some_and(|arrives| *arrives <= now) {
            self.under_way.pop_front();
            self.arrived += 1;
        }
        while self.reports.front().is_some_and(|(arrives, _)| *arrives <= now) {
            self.report = self.reports.pop_front().map(|(_, clock)| clock);
            self.reported += 1;
        }
    }

    pub(super) fn arrived(&self) -> u64 {
        self.arrived
    }

    /// The last report that has arrived, and how many have.
    pub(super) fn reported(&self) -> (u64, Option<&VectorClock>) {
        (self.reported, self.report.as_ref())
    }

    /// When something arrives next.
    pub(super) fn next_arrival(&self) -> Option<Instant> {
        let report = self.reports.front().map(|(arrives, _)| *arrives);
        self.under_way.front().copied().into_iter().chain(report).min()
    }
}
