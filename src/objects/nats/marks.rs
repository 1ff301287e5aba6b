use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// The shortest time between two marks.
const SHORTEST_STEP: Duration = Duration::from_secs(1);
/// How many marks there are in a span, about.
const STEPS: u32 = 4096;

/// How long ago messages of the stream were written, at least.
///
/// The stream numbers its messages. This process notes now and then, by its own monotonic clock, that a message exists: a mark.
/// Then all messages before it exist too. So the age of a message is known without the clock of a server or of another process,
/// which can jump. What was written before this process's first mark counts from there.
#[derive(Debug)]
pub(super) struct Marks {
    span: Duration,
    /// Sequences and instants, both ascending.
    marks: VecDeque<(u64, Instant)>,
    /// The greatest sequence seen, marked or not.
    newest: u64,
}

impl Marks {
    pub(super) fn new() -> Self {
        Self {
            span: Duration::ZERO,
            marks: VecDeque::new(),
            newest: 0,
        }
    }

    /// Ages of this length have to be known from now on.
    pub(super) fn lengthen(&mut self, span: Duration) {
        self.span = self.span.max(span);
    }

    /// The stream has another history now.
    pub(super) fn clear(&mut self) {
        self.marks.clear();
        self.newest = 0;
    }

    pub(super) fn newest(&self) -> u64 {
        self.newest
    }

    /// Notes that this message existed at this instant.
    pub(super) fn existed(&mut self, sequence: u64, at: Instant) {
        self.newest = self.newest.max(sequence);
        let step = SHORTEST_STEP.max(self.span / STEPS);
        let is_due = self
            .marks
            .back()
            .is_none_or(|(last, then)| sequence > *last && at.saturating_duration_since(*then) >= step);
        if !is_due {
            return;
        }
        self.marks.push_back((sequence, at));
        // One mark that is older than the span stays: it says that what it covers is older, too.
        while self
            .marks
            .get(1)
            .is_some_and(|(_, then)| at.saturating_duration_since(*then) > self.span)
        {
            self.marks.pop_front();
        }
    }

    /// How long ago this message was written, at least. `None` if no mark says so.
    pub(super) fn age(&self, sequence: u64, now: Instant) -> Option<Duration> {
        let first = self.marks.partition_point(|(marked, _)| *marked < sequence);
        let (_, then) = self.marks.get(first)?;
        Some(now.saturating_duration_since(*then))
    }

    /// The last message that was certainly written this long ago, or longer.
    pub(super) fn last_older_than(&self, age: Duration, now: Instant) -> Option<u64> {
        let is_older = |(_, then): &(u64, Instant)| now.saturating_duration_since(*then) >= age;
        let after = self.marks.partition_point(is_older);
        let (sequence, _) = self.marks.get(after.checked_sub(1)?)?;
        Some(*sequence)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn without_a_mark_no_age_is_known() {
        let marks = Marks::new();
        assert_eq!(marks.age(1, Instant::now()), None);
        assert_eq!(marks.last_older_than(Duration::ZERO, Instant::now()), None);
    }

    #[test]
    fn a_message_is_as_old_as_the_first_mark_after_it() {
        let (mut marks, start) = (Marks::new(), Instant::now());
        marks.lengthen(10 * MINUTE);
        for minute in 1..=10 {
            marks.existed(u64::from(minute) * 100, start + minute * MINUTE);
        }
        let now = start + 10 * MINUTE;
        assert_eq!(marks.age(1, now), Some(9 * MINUTE));
        assert_eq!(marks.age(100, now), Some(9 * MINUTE));
        assert_eq!(marks.age(101, now), Some(8 * MINUTE));
        assert_eq!(marks.age(1001, now), None);
        assert_eq!(marks.last_older_than(8 * MINUTE, now), Some(200));
        assert_eq!(marks.last_older_than(11 * MINUTE, now), None);
    }

    #[test]
    fn rule_15_the_number_of_marks_is_bounded() {
        let (mut marks, start) = (Marks::new(), Instant::now());
        for span in [MINUTE, 60 * MINUTE, 24 * 60 * MINUTE] {
            marks.lengthen(span);
            for step in 0..200_000 {
                marks.existed(step, start + step as u32 * Duration::from_millis(700));
            }
            assert!(marks.marks.len() <= STEPS as usize + 2, "{}", marks.marks.len());
        }
    }

    #[test]
    fn acknowledgements_in_another_order_change_nothing() {
        let (mut marks, start) = (Marks::new(), Instant::now());
        marks.existed(7, start);
        marks.existed(6, start + MINUTE);
        assert_eq!(marks.newest(), 7);
        assert_eq!(marks.age(7, start + MINUTE), Some(MINUTE));
        marks.clear();
        assert_eq!((marks.newest(), marks.age(1, start)), (0, None));
    }

    proptest! {
        /// Messages are written all the time, and this process sees some of them, some time later.
        #[test]
        fn rule_09_an_age_is_never_too_high(
            steps in prop::collection::vec((0u64..100_000, any::<bool>(), 0u64..3), 1..80),
            span in 0u64..1_000_000,
        ) {
            let (mut marks, mut now) = (Marks::new(), Instant::now());
            marks.lengthen(Duration::from_millis(span));
            let mut written = Vec::new();
            for (millis, sees, behind) in steps {
                written.push(now);
                now += Duration::from_millis(millis);
                if sees {
                    marks.existed((written.len() as u64).saturating_sub(behind), now);
                }
                for (sequence, at) in (1..).zip(&written) {
                    let age = now - *at;
                    prop_assert!(marks.age(sequence, now).is_none_or(|least| least <= age));
                    if marks.last_older_than(Duration::from_millis(span), now).is_some_and(|last| sequence <= last) {
                        prop_assert!(age >= Duration::from_millis(span));
                    }
                }
            }
        }
    }
}
