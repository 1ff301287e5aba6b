use std::time::Duration;

use tokio::time::Instant;

use crate::revision::Revision;

/// What a reply answered that named a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A read whose revision the store chose, or chose above the one that it was asked at.
    Read,
    /// A fully consistent read, or a probe.
    Head,
    /// A write.
    Write,
    /// A change feed, or another report of a write. It does not say how fresh the revision is.
    Feed,
}

/// How many watermarks of one source are remembered within an age.
const PER_AGE: u32 = 8;

/// How fresh a revision is: it includes all that was acknowledged before these instants, apart from what the store
/// itself lags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Instants {
    /// Of the newest watermark that it covers.
    pub(crate) any: Option<Instant>,
    /// Of the newest head watermark.
    pub(crate) head: Option<Instant>,
}

impl Instants {
    /// A watermark's own.
    pub(crate) fn at(instant: Instant, head: bool) -> Self {
        Self {
            any: Some(instant),
            head: head.then_some(instant),
        }
    }

    pub(crate) fn or_later(self, other: Self) -> Self {
        Self {
            any: self.any.max(other.any),
            head: self.head.max(other.head),
        }
    }

    /// Without those after `began`, if that is given.
    pub(super) fn not_after(self, began: Option<Instant>) -> Self {
        let not_later = |instant: &Instant| began.is_none_or(|began| *instant <= began);
        Self {
            any: self.any.filter(not_later),
            head: self.head.filter(not_later),
        }
    }
}

/// A revision that the store named in a reply.
#[derive(Clone, Debug)]
pub(super) struct Watermark {
    pub(super) revision: Revision,
    pub(super) source: Source,
    /// When the call began whose reply named it. `None` where that says nothing of how fresh the revision is.
    pub(super) began: Option<Instant>,
    /// When the reply named it.
    pub(super) named: Instant,
}

impl Watermark {
    fn instants(&self) -> Instants {
        self.began
            .map(|began| Instants::at(began, self.source == Source::Head))
            .unwrap_or_default()
    }
}

/// What the store named lately, thinned out: of each source the newest, and before that at most one in an eighth of the
/// age bound; beyond the bound one in an eighth of the age of old tokens.
#[derive(Debug)]
pub(super) struct Watermarks {
    bound: Duration,
    /// How old a token may be, if that is limited.
    token_age: Option<Duration>,
    /// Oldest first.
    list: Vec<Watermark>,
}

impl Watermarks {
    pub(super) fn new(bound: Duration, token_age: Option<Duration>) -> Self {
        Self {
            bound,
            token_age,
            list: Vec::new(),
        }
    }

    /// Adds the newest of its source. It takes the place of the last one where that is too close to the one before.
    pub(super) fn add(&mut self, new: Watermark) {
        let apart = self.bound / PER_AGE;
        let mut same_source = (0..self.list.len())
            .rev()
            .filter(|&at| self.list[at].source == new.source);
        if let (Some(last), Some(before)) = (same_source.next(), same_source.next())
            && self.list[last].named < self.list[before].named + apart
        {
            self.list.remove(last);
        }
        let now = new.named;
        self.list.push(new);
        self.thin_out(now);
    }

    fn thin_out(&mut self, now: Instant) {
        let Some(age) = self.token_age else {
            let bound = self.bound;
            self.list
                .retain(|known| now.saturating_duration_since(known.named) <= bound);
            return;
        };
        // Beyond the bound they only show which tokens are old. Of those that are older than a token may be, the newest
        // covers most.
        let old = |known: &Watermark| now.saturating_duration_since(known.named);
        let mut last: Option<Instant> = None;
        let newest_beyond = self.list.iter().rposition(|known| old(known) > age);
        let mut index = 0;
        self.list.retain(|known| {
            let keep = match old(known) {
                within if within <= self.bound => true,
                _ if newest_beyond.is_some_and(|newest| index < newest) => false,
                _ => last.is_none_or(|last| known.named >= last + age / PER_AGE),
            };
            index += 1;
            if keep {
                last = Some(known.named);
            }
            keep
        });
    }

    /// How fresh `revision` is. `began` is given where reads do not repeat: then a watermark is covered only by an answer
    /// whose call began at or after its instant.
    pub(super) fn freshness(&self, revision: &Revision, began: Option<Instant>) -> Instants {
        let covered = self.list.iter().filter(|known| *revision >= known.revision);
        covered.fold(Instants::default(), |instants, known| {
            instants.or_later(known.instants().not_after(began))
        })
    }

    /// Oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Watermark> {
        self.list.iter()
    }

    pub(super) fn revisions(&self) -> impl Iterator<Item = &Revision> {
        self.list.iter().map(|known| &known.revision)
    }

    /// Whether `revision` is surely older than tokens may be.
    pub(super) fn is_old(&self, revision: &Revision, now: Instant) -> bool {
        let Some(age) = self.token_age else { return false };
        let mut old = self
            .list
            .iter()
            .filter(|known| now.saturating_duration_since(known.named) > age);
        old.any(|known| known.revision >= *revision)
    }

    /// Forgets a revision at which the store rejected to answer.
    pub(super) fn forget(&mut self, rejected: &Revision) {
        self.list.retain(|known| known.revision != *rejected);
    }

    pub(super) fn clear(&mut self) {
        self.list.clear();
    }
}
