use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// By how much two clocks may differ without a jump, over at most [`REFERENCE_LASTS`].
const TOLERANCE: Duration = Duration::from_secs(2);

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
    fn deviation(&self, later: &Self) -> (f64, f64) {
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

/// How far a clock that was seen to run evenly may be off after so long. The statement that removes rows says the same in SQL.
fn length_of_error(length: Duration) -> Duration {
    TOLERANCE + length.mul_f64(TOLERANCE.as_secs_f64() / REFERENCE_LASTS.as_secs_f64())
}
