//! What became of past questions, so that a miss can say why there is no answer.

use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use crate::cache::fingerprint::Fingerprint;
use crate::cache::miss::{Miss, NotStored};

/// How many questions share a lock. The one that was used least recently makes room.
const WAYS: usize = 7;

/// A bounded memory of questions. It knows their hashes alone.
pub(super) struct Past {
    outcomes: Table<Outcome>,
    /// By a question's hash without its credential: the question that was asked last.
    askers: Table<Fingerprint>,
    began: Instant,
}

/// What became of a question's last answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// It was stored, until `expires` (milliseconds after the start) and in this epoch (its low bits).
    Stored {
        expires: u32,
        epoch: u16,
    },
    NotStored(NotStored),
}

impl Past {
    /// A memory of so many bytes: three quarters of them for what became of answers.
    pub(super) fn new(bytes: u64) -> Self {
        Self {
            outcomes: Table::new(bytes / 4 * 3),
            askers: Table::new(bytes / 4),
            began: Instant::now(),
        }
    }

    /// Why there is no answer to `question`, as far as it is remembered. Nothing is noted.
    pub(super) fn peek(&self, question: Fingerprint, now: Instant, epoch: u64) -> Miss {
        if self.outcomes.is_off() {
            return Miss::Absent;
        }
        match self.outcomes.get(question) {
            None => Miss::First,
            Some(Outcome::NotStored(why)) => Miss::NotStored(why),
            Some(Outcome::Stored { epoch: stored, .. }) if stored != epoch as u16 => Miss::Epoch,
            Some(Outcome::Stored { expires, .. }) if self.millis(now) >= expires => Miss::Expired,
            Some(Outcome::Stored { .. }) => Miss::Evicted,
        }
    }

    /// The same, and notes that the question is about to be asked.
    pub(super) fn why_absent(&self, question: Fingerprint, now: Instant, epoch: u64) -> Miss {
        let why = self.peek(question, now, epoch);
        self.outcomes.put(question, Outcome::NotStored(NotStored::Pending));
        why
    }

    /// An answer was stored.
    pub(super) fn stored(&self, question: Fingerprint, expires: Instant, epoch: u64) {
        let expires = self.millis(expires);
        let epoch = epoch as u16;
        self.outcomes.put(question, Outcome::Stored { expires, epoch });
    }

    /// An answer was not stored. One that was stored before is still there.
    pub(super) fn not_stored(&self, question: Fingerprint, why: NotStored) {
        self.outcomes.put_unless(question, Outcome::NotStored(why), |outcome| {
            matches!(outcome, Outcome::Stored { .. })
        });
    }

    /// The question that was last asked under this hash without its credential, other than `question`, which takes its place
    /// unless `is_stored` says that the other one has an answer.
    pub(super) fn asked_by_another(
        &self,
        without_credential: Fingerprint,
        question: Fingerprint,
        is_stored: impl Fn(Fingerprint) -> bool,
    ) -> bool {
        let other = self.askers.get(without_credential).filter(|other| *other != question);
        let has_answer = other.is_some_and(is_stored);
        if !has_answer {
            self.askers.put(without_credential, question);
        }
        has_answer
    }

    fn millis(&self, instant: Instant) -> u32 {
        let since = instant.saturating_duration_since(self.began);
        u32::try_from(since.as_millis()).unwrap_or(u32::MAX)
    }
}

/// Values by question, each set under its own lock.
struct Table<T> {
    sets: Box<[Mutex<Set<T>>]>,
}

/// The most recently used first.
type Set<T> = [Option<(u64, T)>; WAYS];

impl<T: Copy> Table<T> {
    fn new(bytes: u64) -> Self {
        let sets = bytes / size_of::<Mutex<Set<T>>>() as u64;
        Self {
            sets: (0..sets).map(|_| Mutex::new([None; WAYS])).collect(),
        }
    }

    fn is_off(&self) -> bool {
        self.sets.is_empty()
    }

    fn get(&self, question: Fingerprint) -> Option<T> {
        self.with(question, |set, nth| nth.and_then(|nth| Some(set[nth]?.1)))
            .flatten()
    }

    fn put(&self, question: Fingerprint, value: T) {
        self.put_unless(question, value, |_| false);
    }

    /// Puts a value, unless the one that is there is to stay.
    fn put_unless(&self, question: Fingerprint, value: T, stays: impl Fn(T) -> bool) {
        self.with(question, |set, nth| {
            let there = nth.and_then(|nth| Some(set[nth]?.1));
            if !there.is_some_and(stays) {
                set[..=nth.unwrap_or(WAYS - 1)].rotate_right(1);
                set[0] = Some((question.high_half(), value));
            }
        });
    }

    /// The question's set, and its place there.
    fn with<R>(&self, question: Fingerprint, look: impl FnOnce(&mut Set<T>, Option<usize>) -> R) -> Option<R> {
        let count = self.sets.len() as u64;
        let set = &self.sets[question.low_half().checked_rem(count)? as usize];
        let mut set = set.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |entry: &Option<(u64, T)>| entry.is_some_and(|(name, _)| name == question.high_half());
        let nth = set.iter().position(is_it);
        Some(look(&mut set, nth))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cache::{Keyer, Part};

    fn questions(n: usize) -> Vec<Fingerprint> {
        let keyer = Keyer::random();
        let question = |n: usize| keyer.question("test").text(Part::Resource, &n.to_string()).finish();
        (0..n).map(question).collect()
    }

    #[test]
    fn rule_17_the_reason_is_what_became_of_the_last_answer() {
        let past = Past::new(1 << 16);
        let now = Instant::now();
        let later = now + Duration::from_secs(60);
        let [a, b] = questions(2)[..] else { unreachable!() };
        assert_eq!(past.why_absent(a, now, 0), Miss::First);
        assert_eq!(past.why_absent(a, now, 0), Miss::NotStored(NotStored::Pending));
        past.not_stored(a, NotStored::NoStore);
        assert_eq!(past.peek(a, now, 0), Miss::NotStored(NotStored::NoStore));
        past.stored(a, later, 0);
        assert_eq!(past.peek(a, now, 0), Miss::Evicted);
        assert_eq!(past.peek(a, now, 1), Miss::Epoch);
        assert_eq!(past.peek(a, later, 0), Miss::Expired);
        past.not_stored(a, NotStored::ErrorStatus);
        assert_eq!(past.peek(a, now, 0), Miss::Evicted, "the stored answer is still there");
        assert_eq!(past.why_absent(a, now, 0), Miss::Evicted);
        past.not_stored(a, NotStored::ErrorStatus);
        assert_eq!(past.peek(a, now, 0), Miss::NotStored(NotStored::ErrorStatus));
        assert_eq!(past.peek(b, now, 0), Miss::First);
    }

    #[test]
    fn another_asker_counts_only_while_its_answer_is_stored() {
        let past = Past::new(1 << 16);
        let [bare, own, other] = questions(3)[..] else {
            unreachable!()
        };
        assert!(!past.asked_by_another(bare, other, |_| true), "it is the first");
        assert!(!past.asked_by_another(bare, other, |_| true), "it is the same");
        assert!(past.asked_by_another(bare, own, |question| question == other));
        assert!(!past.asked_by_another(bare, own, |_| false), "its answer is gone");
        assert!(past.asked_by_another(bare, other, |question| question == own));
    }

    #[test]
    fn rule_15_its_memory_is_bounded_and_the_newest_is_kept() {
        let past = Past::new(16 << 10);
        assert!(size_of::<Mutex<Set<Outcome>>>() <= 24 * WAYS + 8);
        let (asked, now) = (questions(10_000), Instant::now());
        for question in &asked {
            past.not_stored(*question, NotStored::NoVerdict);
            assert_eq!(past.peek(*question, now, 0), Miss::NotStored(NotStored::NoVerdict));
        }
        let remembered = asked
            .iter()
            .filter(|question| past.peek(**question, now, 0) != Miss::First);
        let count = remembered.count();
        assert!((300..=(16 << 10) / 17).contains(&count), "{count}");
    }

    #[test]
    fn without_memory_nothing_is_known() {
        let past = Past::new(0);
        let [a, b] = questions(2)[..] else { unreachable!() };
        assert_eq!(past.why_absent(a, Instant::now(), 0), Miss::Absent);
        past.stored(a, Instant::now(), 0);
        assert_eq!(past.peek(a, Instant::now(), 0), Miss::Absent);
        assert!(!past.asked_by_another(b, a, |_| true));
    }
}
