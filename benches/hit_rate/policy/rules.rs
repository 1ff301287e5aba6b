//! The rules of the simpler caches.

use std::sync::{Mutex, PoisonError};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::keyed::{Key, Rule};
use crate::upstream::{Answer, At, Upstream};
use crate::workload::{Check, Terms};
use crate::world::Millis;

/// Every check is asked.
pub(crate) struct NoCache;

impl Rule for NoCache {
    fn plan(&self, _: &Upstream, check: &Check) -> (Key, At) {
        ((check.question, 0), At::Head)
    }

    fn serve(&self, _: &Answer, _: &Upstream, _: &Check) -> Option<Answer> {
        None
    }
}

/// Answers live for as long as the bound allows. Tokens are not looked at.
pub(crate) struct TimeToLive {
    bound: Millis,
}

impl TimeToLive {
    pub(crate) fn new(terms: &Terms) -> Self {
        Self { bound: terms.bound() }
    }
}

impl Rule for TimeToLive {
    fn plan(&self, _: &Upstream, check: &Check) -> (Key, At) {
        ((check.question, 0), At::Head)
    }

    fn serve(&self, entry: &Answer, _: &Upstream, check: &Check) -> Option<Answer> {
        (check.at - entry.as_of <= self.bound).then_some(*entry)
    }
}

/// The token is a part of the key: a caller with another token finds nothing.
pub(crate) struct ExactToken(TimeToLive);

impl ExactToken {
    pub(crate) fn new(terms: &Terms) -> Self {
        Self(TimeToLive::new(terms))
    }
}

impl Rule for ExactToken {
    fn plan(&self, _: &Upstream, check: &Check) -> (Key, At) {
        ((check.question, check.floor.unwrap_or(0)), At::Head)
    }

    fn serve(&self, entry: &Answer, upstream: &Upstream, check: &Check) -> Option<Answer> {
        self.0.serve(entry, upstream, check)
    }
}

/// The head revision is a part of the key. It is known at once and at no cost, which flatters this policy.
pub(crate) struct HeadRevision(TimeToLive);

impl HeadRevision {
    pub(crate) fn new(terms: &Terms) -> Self {
        Self(TimeToLive::new(terms))
    }
}

impl Rule for HeadRevision {
    fn plan(&self, upstream: &Upstream, check: &Check) -> (Key, At) {
        ((check.question, upstream.head()), At::Head)
    }

    fn serve(&self, entry: &Answer, upstream: &Upstream, check: &Check) -> Option<Answer> {
        self.0.serve(entry, upstream, check)
    }

    fn store_under(&self, (question, _): Key, answer: &Answer) -> Key {
        (question, answer.revision)
    }
}

/// How a database names the revision of a quantization window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// By the time at which it begins, as on CockroachDB and Spanner: each window has answers of its own.
    Time,
    /// By what was written before it, as on PostgreSQL: windows share answers if nothing was written between them.
    Writes,
}

/// All checks of a window are evaluated at the revision with which it began, and those whose token is newer at the
/// token's. A check may still take the window before, for a random part of the staleness.
pub(crate) struct Quantized {
    naming: Naming,
    interval: Millis,
    slack: Millis,
    dice: Mutex<StdRng>,
}

impl Quantized {
    pub(crate) fn new(terms: &Terms, naming: Naming) -> Self {
        let interval = terms.interval.as_millis() as Millis;
        Self {
            naming,
            interval,
            slack: terms.bound() - interval,
            dice: Mutex::new(StdRng::seed_from_u64(0xd1ce)),
        }
    }

    fn window(&self, check: &Check) -> Millis {
        let mut dice = self.dice.lock().unwrap_or_else(PoisonError::into_inner);
        let at = check.at - dice.random_range(0..=self.slack);
        at - at.rem_euclid(self.interval)
    }
}

impl Rule for Quantized {
    const COALESCES: bool = true;

    fn plan(&self, upstream: &Upstream, check: &Check) -> (Key, At) {
        let window = self.window(check);
        let revision = upstream.world.head_at(window);
        let (revision, as_of) = match check.floor {
            Some(floor) if floor > revision => (floor, upstream.world.committed(floor)),
            _ => (revision, window),
        };
        let name = match self.naming {
            Naming::Time => as_of as u64,
            Naming::Writes => revision,
        };
        ((check.question, name), At::Exactly { revision, as_of })
    }

    fn serve(&self, entry: &Answer, upstream: &Upstream, check: &Check) -> Option<Answer> {
        let current = check.at - check.at.rem_euclid(self.interval);
        let mut windows = [current, current - self.interval].into_iter();
        let again = windows.find(|window| upstream.world.head_at(*window) == entry.revision);
        let as_of = match (self.naming, again) {
            (Naming::Writes, Some(window)) => entry.as_of.max(window),
            _ => entry.as_of,
        };
        Some(Answer { as_of, ..*entry })
    }
}

/// A write ends everything that is older, once it is noticed: a check that comes an interval after the last look makes
/// the cache look for the latest write, which takes as long as a call and is not counted as one. Tokens are not looked
/// at.
pub(crate) struct WholeStore {
    lives: TimeToLive,
    interval: Millis,
    latency: Millis,
    /// When it looked last, and the time before.
    looks: Mutex<(Millis, Millis)>,
}

impl WholeStore {
    pub(crate) fn new(terms: &Terms) -> Self {
        Self {
            lives: TimeToLive::new(terms),
            interval: terms.interval.as_millis() as Millis,
            latency: terms.latency.as_millis() as Millis,
            looks: Mutex::new((0, 0)),
        }
    }

    /// When the latest write was made that is known of.
    fn noticed(&self, upstream: &Upstream, now: Millis) -> Millis {
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        if now - looks.0 >= self.interval {
            *looks = (now, looks.0);
        }
        let ended = if looks.0 + self.latency <= now {
            looks.0
        } else {
            looks.1
        };
        upstream
            .world
            .committed(upstream.world.head_at(ended + self.latency / 2))
    }
}

impl Rule for WholeStore {
    fn plan(&self, _: &Upstream, check: &Check) -> (Key, At) {
        ((check.question, 0), At::Head)
    }

    fn serve(&self, entry: &Answer, upstream: &Upstream, check: &Check) -> Option<Answer> {
        let since_the_write = entry.as_of > self.noticed(upstream, check.at);
        self.lives.serve(entry, upstream, check).filter(|_| since_the_write)
    }
}
