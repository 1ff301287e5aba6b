use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::revision::Revision;

/// How many marks there are within the age that they measure.
const MARKS: u32 = 8;

/// What the store had told of at some instants: whatever one of them covers is at least as old as that.
#[derive(Debug)]
pub(super) struct Marks {
    age: Option<Duration>,
    marks: VecDeque<(Instant, Revision)>,
}

impl Marks {
    /// Tells revisions apart that are older than `age`.
    pub(super) fn new(age: Option<Duration>) -> Self {
        Self {
            age,
            marks: VecDeque::new(),
        }
    }

    /// Takes note of what the store has just told of.
    pub(super) fn set(&mut self, revision: &Revision, now: Instant) {
        let Some(age) = self.age else { return };
        let since = |(at, _): &(Instant, Revision)| now.saturating_duration_since(*at);
        if self.marks.back().is_some_and(|last| since(last) < age / MARKS) {
            return;
        }
        self.marks.push_back((now, revision.clone()));
        // Of those that are old enough, the newest covers most.
        while self.marks.get(1).is_some_and(|second| since(second) > age) {
            self.marks.pop_front();
        }
    }

    /// Whether `revision` is surely older than the age.
    pub(super) fn is_old(&self, revision: &Revision, now: Instant) -> bool {
        let Some(age) = self.age else { return false };
        let old = |at: &Instant| now.saturating_duration_since(*at) > age;
        self.marks.iter().any(|(at, mark)| old(at) && mark >= revision)
    }

    pub(super) fn clear(&mut self) {
        self.marks.clear();
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;
    use crate::revision::{Counter, StoreId};

    const HOUR: Duration = Duration::from_secs(3600);

    fn at(n: u64) -> Revision {
        Revision::new(StoreId::new(["test"]), Counter(n))
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_covered_long_ago_is_old() {
        let mut marks = Marks::new(Some(HOUR));
        marks.set(&at(10), Instant::now());
        assert!(!marks.is_old(&at(9), Instant::now()));
        advance(HOUR + Duration::from_secs(1)).await;
        assert!(marks.is_old(&at(9), Instant::now()) && marks.is_old(&at(10), Instant::now()));
        assert!(!marks.is_old(&at(11), Instant::now()), "nobody knows how old it is");
        marks.clear();
        assert!(!marks.is_old(&at(9), Instant::now()));
    }

    #[tokio::test(start_paused = true)]
    async fn few_marks_are_kept_and_none_too_many_dropped() {
        let mut marks = Marks::new(Some(HOUR));
        for minute in 0..600 {
            marks.set(&at(minute), Instant::now());
            advance(Duration::from_secs(60)).await;
            assert!(marks.marks.len() <= MARKS as usize + 2);
        }
        let now = Instant::now();
        assert!(marks.is_old(&at(530), now), "seventy minutes old");
        assert!(!marks.is_old(&at(541), now), "fifty-nine minutes old");
    }

    #[tokio::test(start_paused = true)]
    async fn without_an_age_nothing_is_old() {
        let mut marks = Marks::new(None);
        marks.set(&at(1), Instant::now());
        advance(HOUR * 24).await;
        assert!(!marks.is_old(&at(1), Instant::now()));
    }
}
