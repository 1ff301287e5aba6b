use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// By how much two clocks may differ without a jump, over at most [`REFERENCE_LASTS`].
const TOLERANCE: Duration = Duration::from_secs(1);

/// A sample is compared with one that is at most this old. So clocks that only run a bit fast never count as a jump.
const REFERENCE_LASTS: Duration = Duration::from_secs(600);

/// A clock that was not read for so long may have jumped forth and back.
const LONGEST_GAP: Duration = Duration::from_secs(60);

/// Compares the database's clock with this process's monotonic clock.
///
/// Times in the table are of the database's clock, and that one may be set. So a time in the table counts as over only after
/// this process has seen the clock run evenly for as long as the time was meant to last. Either the time was written before
/// that, and has lasted long enough by this process's own clock; or it was written meanwhile, and the database's clock is right
/// about it.
#[derive(Debug, Default)]
pub(super) struct ClockWatch(Option<Window>);

/// The time in which the clock was seen to run evenly.
#[derive(Debug)]
struct Window {
    since: Instant,
    last: Instant,
    reference: Sample,
}

/// The database's clock, read between two instants.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) sent: Instant,
    pub(super) received: Instant,
    pub(super) clock: SystemTime,
}

/// What a sample shows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    pub(super) clock: SystemTime,
    /// For how long up to now the clock was seen to run evenly.
    pub(super) even_for: Duration,
    /// The clock has jumped: by how many seconds at least.
    pub(super) jumped: Option<f64>,
}

impl ClockWatch {
    pub(super) fn read(&mut self, sample: Sample) -> Reading {
        let (even_for, jumped) = self.judge(sample);
        Reading {
            clock: sample.clock,
            even_for,
            jumped,
        }
    }

    fn judge(&mut self, sample: Sample) -> (Duration, Option<f64>) {
        let Some(window) = &mut self.0 else {
            self.0 = Some(Window::from(sample));
            return (Duration::ZERO, None);
        };
        if sample.sent < window.since {
            // It was on its way when the window began.
            return (Duration::ZERO, None);
        }
        if sample.sent.saturating_duration_since(window.last) > LONGEST_GAP {
            *window = Window::from(sample);
            return (Duration::ZERO, None);
        }
        let tolerance = TOLERANCE.as_secs_f64();
        let (least, most) = window.reference.deviation(&sample);
        if least > tolerance || most < -tolerance {
            *window = Window::from(sample);
            return (Duration::ZERO, Some(if least > 0.0 { least } else { most }));
        }
        if least < -tolerance || most > tolerance {
            // The reply took so long that the clock may have jumped.
            return (Duration::ZERO, None);
        }
        window.last = window.last.max(sample.received);
        let even_for = sample.sent.saturating_duration_since(window.since);
        if sample.sent.saturating_duration_since(window.reference.received) > REFERENCE_LASTS {
            window.reference = sample;
        }
        (even_for, None)
    }
}

impl From<Sample> for Window {
    fn from(sample: Sample) -> Self {
        Self {
            since: sample.received,
            last: sample.received,
            reference: sample,
        }
    }
}

impl Sample {
    /// How many seconds more than this process's clock the database's clock has gone on up to a later sample: at least, and at
    /// most.
    pub(super) fn deviation(&self, later: &Self) -> (f64, f64) {
        let by_database = match later.clock.duration_since(self.clock) {
            Ok(passed) => passed.as_secs_f64(),
            Err(back) => -back.duration().as_secs_f64(),
        };
        let between = |from: Instant, to: Instant| {
            to.saturating_duration_since(from).as_secs_f64() - from.saturating_duration_since(to).as_secs_f64()
        };
        (
            by_database - between(self.sent, later.received),
            by_database - between(self.received, later.sent),
        )
    }
}

impl Reading {
    /// How much of the time from `from` until `until` may be left. `None`: it is over.
    pub(super) fn left(&self, from: SystemTime, until: SystemTime) -> Option<Duration> {
        let length = until.duration_since(from).unwrap_or_default();
        let end = until + length_of_error(length);
        let by_clock = end.duration_since(self.clock).unwrap_or_default();
        let left = by_clock.max(length.saturating_sub(self.even_for));
        (!left.is_zero()).then_some(left)
    }
}

/// How far a clock that was seen to run evenly may be off over this time.
///
/// All readings that are compared with one reference are within two tolerances of each other. A time that spans several references
/// adds one tolerance for each. The statement that removes rows says the same in SQL.
fn length_of_error(length: Duration) -> Duration {
    TOLERANCE * 3 + length.mul_f64(TOLERANCE.as_secs_f64() / REFERENCE_LASTS.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A database's clock that may be set, and this process's own.
    struct Clocks {
        own: Instant,
        clock: SystemTime,
        watch: ClockWatch,
    }

    const STEP: Duration = Duration::from_secs(5);

    impl Clocks {
        fn new() -> Self {
            Self {
                own: Instant::now(),
                clock: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000),
                watch: ClockWatch::default(),
            }
        }

        fn pass(&mut self, time: Duration) {
            self.own += time;
            self.clock += time;
        }

        fn jump(&mut self, seconds: f64) {
            let by = Duration::from_secs_f64(seconds.abs());
            self.clock = if seconds < 0.0 {
                self.clock - by
            } else {
                self.clock + by
            };
        }

        fn read(&mut self) -> Reading {
            self.read_in(Duration::ZERO)
        }

        /// The reply takes this long, and the clock is read at its end.
        fn read_in(&mut self, time: Duration) -> Reading {
            let sent = self.own;
            self.pass(time);
            let sample = Sample {
                sent,
                received: self.own,
                clock: self.clock,
            };
            self.watch.read(sample)
        }

        fn read_for(&mut self, time: Duration) -> Reading {
            let end = self.own + time;
            while self.own < end {
                self.pass(STEP);
                let reading = self.read();
                assert_eq!(reading.jumped, None);
            }
            self.read()
        }
    }

    #[test]
    fn an_even_clock_counts_from_the_first_reading() {
        let mut clocks = Clocks::new();
        assert_eq!(clocks.read().even_for, Duration::ZERO);
        let hour = Duration::from_secs(3600);
        assert_eq!(clocks.read_for(hour).even_for, hour);
    }

    #[test]
    fn a_jump_is_reported_once_and_begins_the_wait_anew() {
        for seconds in [3.0, -3.0, 3600.0, -3600.0] {
            let mut clocks = Clocks::new();
            clocks.read();
            clocks.read_for(STEP * 10);
            clocks.jump(seconds);
            let reading = clocks.read();
            assert_eq!((reading.even_for, reading.jumped), (Duration::ZERO, Some(seconds)));
            assert_eq!(clocks.read_for(STEP * 2).even_for, STEP * 2);
        }
    }

    #[test]
    fn a_clock_that_runs_a_bit_fast_has_not_jumped() {
        let mut clocks = Clocks::new();
        clocks.read();
        for _ in 0..20_000 {
            clocks.pass(STEP);
            clocks.jump(0.0025);
            assert_eq!(clocks.read().jumped, None);
        }
        assert_eq!(clocks.read().even_for, STEP * 20_000);
    }

    #[test]
    fn many_small_steps_are_a_jump() {
        let mut clocks = Clocks::new();
        clocks.read();
        let jumped = (0..10).any(|_| {
            clocks.pass(STEP);
            clocks.jump(0.4);
            clocks.read().jumped.is_some()
        });
        assert!(jumped);
    }

    #[test]
    fn a_clock_that_was_not_read_for_a_minute_is_not_known() {
        let mut clocks = Clocks::new();
        clocks.read();
        clocks.read_for(STEP * 10);
        clocks.pass(LONGEST_GAP + STEP);
        let reading = clocks.read();
        assert_eq!((reading.even_for, reading.jumped), (Duration::ZERO, None));
    }

    #[test]
    fn a_slow_reply_shows_nothing() {
        let mut clocks = Clocks::new();
        clocks.read();
        clocks.read_for(STEP * 10);
        let reading = clocks.read_in(TOLERANCE * 2);
        assert_eq!((reading.even_for, reading.jumped), (Duration::ZERO, None));
        assert!(clocks.read().even_for > STEP * 10);
    }

    #[test]
    fn a_time_is_over_by_the_clock_once_that_is_known() {
        let mut clocks = Clocks::new();
        let (from, until) = (clocks.clock, clocks.clock + STEP);
        clocks.pass(STEP * 100);
        // The clock may have jumped just before.
        assert_eq!(clocks.read().left(from, until), Some(STEP));
        clocks.pass(STEP);
        assert_eq!(clocks.read().left(from, until), None);
        let (from, until) = (clocks.clock, clocks.clock + STEP * 2);
        let left = clocks.read().left(from, until);
        assert!(left.is_some_and(|left| left >= STEP * 2 && left < STEP * 3), "{left:?}");
    }

    #[test]
    fn infinite_times_are_never_over() {
        let mut clocks = Clocks::new();
        let far = Duration::from_secs(290_000 * 365 * 86400);
        let (from, until) = (SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH + far);
        assert!(clocks.read().left(from, until).is_some_and(|left| left >= far));
    }

    proptest! {
        #[test]
        fn no_jump_ends_a_time_early(
            steps in prop::collection::vec((
                prop::sample::select(vec![0.0, 0.0, 0.0, 0.0, 0.3, -0.3, 0.9, -0.9, 1.8, -1.8, 10.0, -10.0, 600.0, -600.0]),
                prop::option::of(0..100_u64),
            ), 1..400),
        ) {
            let mut clocks = Clocks::new();
            let mut times = Vec::new();
            for (jump, length) in steps {
                clocks.pass(STEP);
                clocks.jump(jump);
                if let Some(length) = length.map(Duration::from_secs) {
                    times.push((clocks.own, length, clocks.clock));
                }
                let reading = clocks.read();
                for (began, length, from) in &times {
                    if reading.left(*from, *from + *length).is_none() {
                        prop_assert!(clocks.own.duration_since(*began) >= *length);
                    }
                }
            }
        }
    }
}
