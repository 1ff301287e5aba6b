use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::cache::miss::Miss;
use crate::cache::weigh::Weigh;
use crate::changes::{Examined, Placed};
use crate::consistency::{Floor, Freshness, Window};
use crate::knowledge::Instants;
use crate::revision::{Revision, Timing};

/// The revisions over which an answer is known to hold: from the one it was evaluated at through the last one.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    from: Revision,
    through: Revision,
    /// Every read within the span gives this answer. One that covers its label's floors need not.
    repeatable: bool,
}

impl Span {
    /// A span of one revision. It grows only by complete knowledge of what changed.
    pub(crate) fn at(revision: Revision, repeatable: bool) -> Self {
        Self {
            from: revision.clone(),
            through: revision,
            repeatable,
        }
    }

    pub(crate) fn label(&self) -> &Revision {
        &self.through
    }

    pub(crate) fn holds_at(&self, revision: &Revision) -> bool {
        self.repeatable && self.from <= *revision && *revision <= self.through
    }

    /// Whether it would hold there if it were known through `frontier`.
    fn would_hold_at(&self, revision: &Revision, frontier: &Revision) -> bool {
        self.repeatable && self.from <= *revision && revision <= frontier
    }
}

/// An answer and what is known of when it was true.
#[derive(Clone, Debug)]
pub(crate) struct Decision<V> {
    pub(crate) value: V,
    /// `None`: the answer claims no revision, and satisfies no floor.
    pub(crate) span: Option<Span>,
    /// What the answer's age is counted from: the newest watermarks that it was known to cover. Without any it serves exact
    /// reads only.
    pub(crate) fresh: Instants,
    /// The instant before the upstream call.
    pub(crate) began: Instant,
    /// The hard end, counted from the evaluation.
    pub(crate) expires: Instant,
    /// The store's epoch in which the call began.
    pub(crate) epoch: u64,
    /// Where it stands among the changes of a feed, if one is followed.
    pub(crate) placed: Option<Arc<Placed>>,
}

impl<V> Decision<V> {
    pub(crate) fn label(&self) -> Option<&Revision> {
        self.span.as_ref().map(Span::label)
    }

    pub(crate) fn holds_at(&self, revision: &Revision) -> bool {
        self.span.as_ref().is_some_and(|span| span.holds_at(revision))
    }

    /// How many bytes it takes beside its own size.
    pub(crate) fn heap_bytes(&self) -> usize
    where
        V: Weigh,
    {
        let placed = self
            .placed
            .as_ref()
            .map_or(0, |placed| size_of::<Placed>() + placed.heap_bytes());
        self.value.heap_bytes() + placed
    }

    /// How old the answer is at `now`.
    pub(crate) fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.fresh.any.unwrap_or(self.began))
    }

    /// Whether the answer holds at a revision that covers `floor`.
    pub(crate) fn covers(&self, floor: &Floor) -> bool {
        let timing = Timing::of(self.began, floor.demanded);
        self.label().is_some_and(|label| label.covers(&floor.revision, timing))
    }

    /// Whether the answer holds everything that `other` holds. Where a lower number can commit later, it has to have begun
    /// no earlier.
    fn covers_answer(&self, other: &Self) -> bool {
        other.label().is_some_and(|revision| {
            self.covers(&Floor {
                revision: revision.clone(),
                demanded: other.began,
            })
        })
    }

    /// Whether the answer may be given to a request that arrived at `now`.
    pub(crate) fn satisfies(
        &self,
        freshness: &Freshness,
        now: Instant,
        window: &Window,
        jitter: u32,
        epoch: u64,
    ) -> Result<(), Miss> {
        if self.epoch != epoch {
            return Err(Miss::Epoch);
        }
        if now >= self.expires {
            return Err(Miss::Expired);
        }
        match freshness {
            Freshness::Full => Err(Miss::Full),
            Freshness::Exact(revision) => {
                let holds = self.span.as_ref().is_some_and(|span| span.holds_at(revision));
                if holds { Ok(()) } else { Err(Miss::Exact) }
            }
            Freshness::AtLeast { floors, head_within } => {
                if !floors.iter().all(|floor| self.covers(floor)) {
                    return Err(Miss::Floor);
                }
                let age = |instant: Option<Instant>| instant.map(|instant| now.saturating_duration_since(instant));
                let young = age(self.fresh.any).is_some_and(|age| window.allows(age, jitter))
                    && head_within.is_none_or(|bound| age(self.fresh.head).is_some_and(|age| age <= bound));
                if young { Ok(()) } else { Err(Miss::Age) }
            }
        }
    }

    /// What becomes of `entry` when this answer to the same question arrives: the entry that takes its place, or `None`
    /// where the entry stays. `repeats`: reads of the store repeat, so that an answer is as fresh as another one that it
    /// covers.
    pub(crate) fn succeed(self, entry: &Self, repeats: bool) -> Option<Self>
    where
        V: Clone,
    {
        if self.epoch != entry.epoch {
            return (self.epoch > entry.epoch).then_some(self);
        }
        let entry_was_over = self.began >= entry.expires;
        if entry_was_over {
            return Some(self);
        }
        let with = |own: Instants, other: Instants| if repeats { own.or_later(other) } else { own };
        match (self.covers_answer(entry), entry.covers_answer(&self)) {
            (true, covered) if !covered || self.began >= entry.began => Some(Self {
                fresh: with(self.fresh, entry.fresh),
                ..self
            }),
            (_, true) => {
                // The hard end stays: the answer was not evaluated again.
                let fresh = with(entry.fresh, self.fresh);
                (fresh != entry.fresh).then(|| entry.renewed(fresh))
            }
            _ => (self.fresh.any > entry.fresh.any).then_some(self),
        }
    }

    /// What the feed says of the answer.
    pub(crate) fn examine(&self, history: impl FnOnce() -> u64) -> Examined {
        match &self.placed {
            Some(placed) => placed.examine(history()),
            None => Examined::Unknown,
        }
    }

    /// Whether it holds at `revision` if it is known to be true through `frontier`.
    pub(crate) fn would_hold_at(&self, revision: &Revision, frontier: &Revision) -> bool {
        self.span
            .as_ref()
            .is_some_and(|span| span.would_hold_at(revision, frontier))
    }

    /// The frontier of the feed, if the answer is known to be true from its own revision through there.
    pub(crate) fn frontier(&self, history: u64) -> Option<Revision> {
        let repeats = self.span.as_ref().is_some_and(|span| span.repeatable);
        self.placed.as_ref().filter(|_| repeats)?.through(history)
    }

    /// The same answer, known to be true through `frontier`, and said of `label` in between.
    pub(crate) fn extended(&self, value: V, label: Revision, fresh: Instants) -> Self {
        let span = self.span.as_ref().map(|span| Span {
            through: label,
            ..span.clone()
        });
        Self {
            value,
            span,
            fresh,
            placed: self.placed.clone(),
            ..*self
        }
    }

    /// The same answer, known to cover newer watermarks.
    pub(crate) fn renewed(&self, fresh: Instants) -> Self
    where
        V: Clone,
    {
        Self { fresh, ..self.clone() }
    }
}

#[cfg(test)]
mod tests;
