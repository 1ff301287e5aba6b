use std::time::Duration;

use crate::consistency::Window;

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

/// Facts about the upstream store, as far as the cache cares.
///
/// Each is one sentence that is true of the store. Where you don't know, take the value that promises less: the cache then
/// asks more often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Replies to reads name the revision that they were evaluated at, and it can be relied on.
    pub names_revisions: bool,
    /// Once the store has passed a revision, reads at it give the same answer every time.
    pub reads_repeat: bool,
    /// A write's token includes all commits that were acknowledged before the write began.
    pub writes_include_earlier: bool,
    /// The store's head may lie below revisions that its other reads name, as in SpiceDB's memory engine: its head is its
    /// last write, its other reads are labelled by the clock.
    pub head_may_trail_reads: bool,
    /// At which revision a read is answered that names one and is not an exact read.
    pub read_mode: ReadMode,
    /// How fresh a read has to be that names no revision and states no consistency.
    pub default_read: DefaultRead,
}

/// At which revision a read is answered that names one and is not an exact read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReadMode {
    /// At that revision or a later one. It may be that revision itself, so a reply that repeats it proves nothing: SpiceDB.
    #[default]
    AtLeast,
    /// At the store's own current revision, which it names, or not at all.
    Current,
    /// At exactly that revision, however old it is: Permify.
    Exactly,
}

/// How fresh a read has to be that names no revision and states no consistency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DefaultRead {
    /// As the window allows.
    #[default]
    InWindow,
    /// At head, because that is what its caller gets from the store itself.
    AtHead,
}

impl Capabilities {
    /// A store whose replies name revisions, whose snapshots repeat, and whose writes include all earlier ones.
    pub const fn versioned() -> Self {
        Self {
            names_revisions: true,
            reads_repeat: true,
            writes_include_earlier: true,
            head_may_trail_reads: false,
            read_mode: ReadMode::AtLeast,
            default_read: DefaultRead::InWindow,
        }
    }

    /// A service whose replies name revisions, and of which nothing else is known.
    pub const fn unknown() -> Self {
        Self {
            reads_repeat: false,
            writes_include_earlier: false,
            ..Self::versioned()
        }
    }

    /// A store that names no revisions: answers are kept by age alone, for callers without a token.
    pub const fn unversioned() -> Self {
        Self {
            names_revisions: false,
            ..Self::unknown()
        }
    }
}

/// The settings of a [`DecisionCache`](super::DecisionCache), with these defaults:
///
/// | setting | default |
/// |---|---|
/// | `window` | 5 s, staleness 10 % |
/// | `capacity` | 64 MiB, of which 1/8 for exact answers |
/// | `time_to_live` | 60 s |
/// | `flight_timeout` | 30 s |
/// | `flight_grace` | 1 s |
/// | `max_flights` | 10,000 in all, 1,000 for one credential |
/// | `max_waiters` | 10,000 |
/// | `max_head_reads` | 100 a second for one credential |
/// | `background_reads` | yes |
/// | `probe_interval` | 100 ms |
/// | `head_lag` | 5 s |
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
    pub fn window(mut self, window: Window) -> Self {
        self.window = window;
        self
    }

    /// How many bytes all entries may take, keys and bookkeeping included.
    pub fn capacity(mut self, capacity: ByteSize) -> Self {
        self.capacity = capacity;
        self
    }

    /// The hard end of an entry, counted from the write: answers change with the clock, without a revision.
    pub fn time_to_live(mut self, time_to_live: Duration) -> Self {
        self.time_to_live = time_to_live;
        self
    }

    /// How long one upstream call may take, and how long the reply to a write is waited for after its caller has left.
    pub fn flight_timeout(mut self, timeout: Duration) -> Self {
        self.flight_timeout = timeout;
        self
    }

    /// How long a flight goes on when nobody waits for it any more.
    pub fn flight_grace(mut self, grace: Duration) -> Self {
        self.flight_grace = grace;
        self
    }

    /// How many flights there may be at a time, in all and for one credential. Over it, requests ask for themselves. Writes
    /// whose callers have left before the reply came take places too; over it, they end with their callers.
    pub fn max_flights(mut self, in_all: usize, by_credential: usize) -> Self {
        self.max_flights = in_all;
        self.max_flights_by_credential = by_credential;
        self
    }

    /// How many callers may wait for somebody else's flight. Over it, requests ask for themselves.
    pub fn max_waiters(mut self, waiters: usize) -> Self {
        self.max_waiters = waiters;
        self
    }

    /// How many head reads in a second one credential may cause by tokens that this process has not met; 0 for none. Above
    /// the limit such requests are forwarded unmodified, and their answers are shared with no one.
    pub fn max_head_reads(mut self, reads: u32) -> Self {
        self.max_head_reads = reads;
        self
    }

    /// Whether a question is asked once more without its token, with no one waiting, where there is traffic and nothing fresh
    /// has been named for half the age bound. Without such reads a store that does not move gives fewer hits: none, if all
    /// callers have tokens.
    pub fn background_reads(mut self, background_reads: bool) -> Self {
        self.background_reads = background_reads;
        self
    }

    /// The shortest time between two successful probes, for a protocol that has any.
    pub fn probe_interval(mut self, interval: Duration) -> Self {
        self.probe_interval = interval;
        self
    }

    /// How long heads may lack what the store has named before. SpiceDB on PostgreSQL tells all who ask for its head at once
    /// what it told the first, and the clocks of CockroachDB's nodes differ. If a second head read, begun this much later
    /// than the first that lacked something, lacks it too, the store counts as restored: all answers are dropped.
    pub fn head_lag(mut self, lag: Duration) -> Self {
        self.head_lag = lag;
        self
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
