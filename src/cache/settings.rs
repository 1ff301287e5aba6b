use std::time::Duration;

use crate::consistency::Window;
use crate::knowledge::KnowledgeSettings;

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(u64);

impl ByteSize {
    /// This many bytes.
    pub const fn bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// This many KiB.
    pub const fn kibi(kibi: u64) -> Self {
        Self(kibi.saturating_mul(1 << 10))
    }

    /// This many MiB.
    pub const fn mebi(mebi: u64) -> Self {
        Self(mebi.saturating_mul(1 << 20))
    }

    /// The number of bytes.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// The settings of a [`DecisionCache`](crate::cache::DecisionCache). Each method says its default and its limits.
#[derive(Clone, Debug)]
#[must_use]
pub struct Settings {
    pub(crate) window: Window,
    pub(crate) capacity: ByteSize,
    pub(crate) time_to_live: Duration,
    pub(crate) flight_timeout: Duration,
    pub(crate) flight_grace: Duration,
    pub(crate) max_flights: usize,
    pub(crate) max_flights_by_credential: usize,
    pub(crate) max_waiters: usize,
    pub(crate) max_head_reads: u32,
    pub(crate) background_reads: bool,
    pub(crate) probe_interval: Duration,
    pub(crate) head_lag: Duration,
    pub(crate) token_age: Option<Duration>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            window: Window::default(),
            capacity: ByteSize::mebi(64),
            time_to_live: Duration::from_secs(60),
            flight_timeout: Duration::from_secs(30),
            flight_grace: Duration::from_secs(1),
            max_flights: 10_000,
            max_flights_by_credential: 1_000,
            max_waiters: 10_000,
            max_head_reads: 100,
            background_reads: true,
            probe_interval: Duration::from_millis(100),
            head_lag: Duration::from_secs(5),
            token_age: None,
        }
    }
}

/// A setting that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting} {problem}")]
pub struct InvalidSetting {
    setting: &'static str,
    problem: &'static str,
}

impl InvalidSetting {
    pub(crate) fn new(setting: &'static str, problem: &'static str) -> Self {
        Self { setting, problem }
    }
}

const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
const SMALLEST_CAPACITY: ByteSize = ByteSize::kibi(64);

impl Settings {
    /// The quantization interval and its staleness: the greatest age of an answer.
    ///
    /// By default 5 s and 10 %, so no answer is older than 5.5 s. Where between 5 s and 5.5 s an answer ends is jittered by
    /// question. The interval is from 1 ms to one day; a staleness over 100 % counts as 100 %.
    pub fn window(mut self, window: Window) -> Self {
        self.window = window;
        self
    }

    /// How many bytes all entries may take, keys and bookkeeping included.
    ///
    /// By default 64 MiB, of which one eighth is for exact answers. At least 64 KiB.
    pub fn capacity(mut self, capacity: ByteSize) -> Self {
        self.capacity = capacity;
        self
    }

    /// The hard end of an entry, counted from the write: answers change with the clock, without a revision.
    ///
    /// By default 60 s. From 1 ms to one day.
    pub fn time_to_live(mut self, time_to_live: Duration) -> Self {
        self.time_to_live = time_to_live;
        self
    }

    /// How long one upstream call may take, and how long the reply to a write is waited for after its caller has left.
    ///
    /// By default 30 s, whatever the callers' own deadlines are. From 1 ms to one day.
    pub fn flight_timeout(mut self, timeout: Duration) -> Self {
        self.flight_timeout = timeout;
        self
    }

    /// How long a flight goes on after its last caller has left.
    ///
    /// By default 1 s. At most one day.
    pub fn flight_grace(mut self, grace: Duration) -> Self {
        self.flight_grace = grace;
        self
    }

    /// How many flights there may be at a time, in all and for one credential. Over it, requests ask for themselves. Writes
    /// whose callers have left before the reply came take places too; over it, they end with their callers.
    ///
    /// By default 10,000 in all and 1,000 for one credential. Each at least 1.
    pub fn max_flights(mut self, in_all: usize, by_credential: usize) -> Self {
        self.max_flights = in_all;
        self.max_flights_by_credential = by_credential;
        self
    }

    /// How many callers may wait for another caller's flight. Over it, requests ask for themselves.
    ///
    /// By default 10,000.
    pub fn max_waiters(mut self, waiters: usize) -> Self {
        self.max_waiters = waiters;
        self
    }

    /// How many head reads in a second one credential may cause by tokens that this process has not met; 0 for none. Above
    /// the limit such requests are forwarded unmodified, and their answers are not shared.
    ///
    /// By default 100.
    pub fn max_head_reads(mut self, reads: u32) -> Self {
        self.max_head_reads = reads;
        self
    }

    /// Whether a question is asked once more without its token, in the background, where there is traffic and the store has
    /// named nothing fresh for half the age bound. Without such reads a store that does not change gives fewer hits, and no
    /// hits if all callers have tokens.
    ///
    /// By default yes.
    pub fn background_reads(mut self, background_reads: bool) -> Self {
        self.background_reads = background_reads;
        self
    }

    /// The shortest time between two successful probes, for a protocol that has any.
    ///
    /// By default 100 ms. At most one day.
    pub fn probe_interval(mut self, interval: Duration) -> Self {
        self.probe_interval = interval;
        self
    }

    /// How long heads may lack what the store has named before. SpiceDB on PostgreSQL gives concurrent callers the head that it
    /// gave the first one, and the clocks of CockroachDB's nodes differ. If a second head read, begun this much later
    /// than the first that lacked something, lacks it too, the store counts as restored: all answers are dropped.
    ///
    /// By default 5 s. At most one day.
    pub fn head_lag(mut self, lag: Duration) -> Self {
        self.head_lag = lag;
        self
    }

    /// What of them concerns the knowledge of the store.
    pub(crate) fn knowledge(&self) -> KnowledgeSettings {
        KnowledgeSettings {
            window: self.window,
            max_head_reads: self.max_head_reads,
            background_reads: self.background_reads,
            probe_interval: self.probe_interval,
            head_lag: self.head_lag,
            token_age: self.token_age,
        }
    }

    pub(crate) fn validate(&self) -> Result<(), InvalidSetting> {
        let span = |setting, duration: Duration, least| match duration {
            d if d < least => Err(InvalidSetting::new(setting, "is too short")),
            d if d > LONGEST => Err(InvalidSetting::new(setting, "is longer than a day")),
            _ => Ok(()),
        };
        let millisecond = Duration::from_millis(1);
        span("the window's interval", self.window.interval(), millisecond)?;
        span("time_to_live", self.time_to_live, millisecond)?;
        span("flight_timeout", self.flight_timeout, millisecond)?;
        span("flight_grace", self.flight_grace, Duration::ZERO)?;
        span("probe_interval", self.probe_interval, Duration::ZERO)?;
        span("head_lag", self.head_lag, Duration::ZERO)?;
        if self.capacity < SMALLEST_CAPACITY {
            return Err(InvalidSetting::new("capacity", "is less than 64 KiB"));
        }
        if self.max_flights == 0 || self.max_flights_by_credential == 0 {
            return Err(InvalidSetting::new("max_flights", "is 0: set it to 1 or more"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consistency::Staleness;

    #[test]
    fn the_defaults_are_valid() {
        assert_eq!(Settings::default().validate(), Ok(()));
    }

    #[test]
    fn rule_15_every_setting_is_checked() {
        let settings = Settings::default;
        let window = Window::new(Duration::ZERO, Staleness::percent(10));
        for (invalid, message) in [
            (settings().window(window), "the window's interval is too short"),
            (
                settings().time_to_live(Duration::MAX),
                "time_to_live is longer than a day",
            ),
            (settings().flight_timeout(Duration::ZERO), "flight_timeout is too short"),
            (
                settings().flight_grace(Duration::MAX),
                "flight_grace is longer than a day",
            ),
            (
                settings().probe_interval(Duration::MAX),
                "probe_interval is longer than a day",
            ),
            (settings().capacity(ByteSize::bytes(1)), "capacity is less than 64 KiB"),
            (settings().max_flights(0, 1), "max_flights is 0: set it to 1 or more"),
        ] {
            assert_eq!(invalid.validate().unwrap_err().to_string(), message);
        }
    }
}
