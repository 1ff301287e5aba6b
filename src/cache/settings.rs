use std::time::Duration;

use crate::byte_size::ByteSize;
use crate::consistency::{Staleness, Window};
use crate::invalid_setting::InvalidSetting;
use crate::knowledge::KnowledgeSettings;

/// The settings of a [`DecisionCache`](crate::cache::DecisionCache). Each method says its default and its limits.
///
/// [`DecisionCache::new`](crate::cache::DecisionCache::new) checks them, and so does the layer's
/// [`build`](crate::ZookieLayerBuilder::build), where [`cache`](crate::ZookieLayerBuilder::cache) changes them.
///
/// ```
/// use std::time::Duration;
/// use tower_zookie::ByteSize;
/// use tower_zookie::cache::{Capabilities, DecisionCache, Settings};
/// use tower_zookie::consistency::Staleness;
///
/// let settings = Settings::default()
///     .window(Duration::from_secs(2), Staleness::percent(20))
///     .capacity(ByteSize::mebi(256));
/// assert_eq!(settings.age_bound(), Duration::from_millis(2400));
/// let cache = DecisionCache::<bool>::new(settings, Capabilities::versioned())?;
/// # let _ = cache;
/// # Ok::<(), tower_zookie::InvalidSetting>(())
/// ```
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
    pub(crate) miss_memory: ByteSize,
    pub(crate) prove_at_head: bool,
    pub(crate) change_memory: ByteSize,
    pub(crate) structure: usize,
    pub(crate) followed_time_to_live: Duration,
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
            miss_memory: ByteSize::mebi(1),
            prove_at_head: false,
            change_memory: ByteSize::mebi(8),
            structure: 100_000,
            followed_time_to_live: Duration::from_secs(600),
        }
    }
}

const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
const LARGEST_MEMORY: ByteSize = ByteSize::mebi(1024);
const SMALLEST_CHANGE_MEMORY: ByteSize = ByteSize::kibi(1);
const SMALLEST_CAPACITY: ByteSize = ByteSize::kibi(64);

impl Settings {
    /// The quantization interval, and by how much an answer may outlive it.
    ///
    /// By default 5 s and 10 %, so no answer is older than 5.5 s. Where between 5 s and 5.5 s an answer ends is jittered by
    /// question. The interval is from 1 ms to one day and at most the [time to live](Self::time_to_live), the staleness at
    /// most 100 %.
    pub fn window(mut self, interval: Duration, staleness: Staleness) -> Self {
        self.window = Window::new(interval, staleness);
        self
    }

    /// The age that no answer exceeds: the interval of [`window`](Self::window) and its staleness.
    pub fn age_bound(&self) -> Duration {
        self.window.bound()
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
    /// By default 60 s. From 1 ms to one day, and no less than the window's interval.
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

    /// How many callers may wait for another caller's flight; 0 for none. Over it, requests ask for themselves.
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

    /// How many bytes the memory of past questions takes, which the reason of a miss comes from: 24 bytes for each of three
    /// quarters of them, and as much again for who else asked. 0 for none: then the reason is [`Miss::Absent`](crate::cache::Miss::Absent).
    ///
    /// By default 1 MiB, which is enough for 30,000 questions. At most 1 GiB.
    pub fn miss_memory(mut self, memory: ByteSize) -> Self {
        self.miss_memory = memory;
        self
    }

    /// Whether a fully consistent request may be answered from memory, where a head read that begins after the request arrived
    /// shows that the stored answer is true at head. Requests that come at once share one head read; it is in vain where the
    /// head has moved on and no [followed](crate::Handle::follow) feed has come as far.
    ///
    /// By default no: fully consistent requests are forwarded. It needs a store whose reads repeat.
    pub fn prove_at_head(mut self, prove: bool) -> Self {
        self.prove_at_head = prove;
        self
    }

    /// How many bytes the table takes that says which changes a [followed](crate::Handle::follow) feed has reported: eight for
    /// each place, and the number of places is a power of two. It takes them for each feed, while it is followed. Changes
    /// that share a place cost a miss; a place for a thousandth of the changes in an answer's life is enough.
    ///
    /// By default 8 MiB. From 1 KiB to 1 GiB.
    pub fn change_memory(mut self, memory: ByteSize) -> Self {
        self.change_memory = memory;
        self
    }

    /// How many relationships that lead on may be kept in memory for a [followed](crate::Handle::follow) feed: those of
    /// relations at which arrows start, and those whose subjects are usersets, such as a team's members who are a team. They
    /// show for which questions a change of groups matters. If there are more, none is kept, and more changes end answers than
    /// have to. 0 for none.
    ///
    /// By default 100,000, which take about 20 MiB.
    pub fn structure(mut self, relationships: usize) -> Self {
        self.structure = relationships;
        self
    }

    /// The hard end of an entry whose question a followed feed can tell apart from the changes that do not concern it, counted
    /// from the evaluation. Such an entry ends when a change concerns it, and what changes with the clock is not among them,
    /// so it may live longer than [`time_to_live`](Self::time_to_live) allows, which is less only if it is set to more.
    ///
    /// By default 10 min. From 1 ms to one day.
    pub fn followed_time_to_live(mut self, time_to_live: Duration) -> Self {
        self.followed_time_to_live = time_to_live;
        self
    }

    /// The longest that an entry may live.
    pub(crate) fn longest_life(&self) -> Duration {
        self.time_to_live.max(self.followed_time_to_live)
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
        let (zero, millisecond) = (Duration::ZERO, Duration::from_millis(1));
        let from_a_millisecond = "is not between 1 ms and one day; choose a duration in between";
        let up_to_a_day = "is longer than one day; choose a shorter duration";
        for (setting, duration, least, problem) in [
            (
                "window",
                self.window.interval(),
                millisecond,
                "has an interval that is not between 1 ms and one day; choose one in between",
            ),
            ("time_to_live", self.time_to_live, millisecond, from_a_millisecond),
            (
                "followed_time_to_live",
                self.followed_time_to_live,
                millisecond,
                from_a_millisecond,
            ),
            ("flight_timeout", self.flight_timeout, millisecond, from_a_millisecond),
            ("flight_grace", self.flight_grace, zero, up_to_a_day),
            ("probe_interval", self.probe_interval, zero, up_to_a_day),
            ("head_lag", self.head_lag, zero, up_to_a_day),
        ] {
            if duration < least || duration > LONGEST {
                return Err(InvalidSetting::new(setting, problem));
            }
        }
        for (setting, is_valid, problem) in [
            (
                "window",
                self.window.has_valid_staleness(),
                "has a staleness of more than 100 %; choose 100 % or less",
            ),
            (
                "capacity",
                self.capacity >= SMALLEST_CAPACITY,
                "is less than 64 KiB; give the cache more",
            ),
            (
                "miss_memory",
                self.miss_memory <= LARGEST_MEMORY,
                "is more than 1 GiB; choose a smaller size",
            ),
            (
                "change_memory",
                (SMALLEST_CHANGE_MEMORY..=LARGEST_MEMORY).contains(&self.change_memory),
                "is not between 1 KiB and 1 GiB; choose a size in between",
            ),
            (
                "max_flights",
                self.max_flights > 0 && self.max_flights_by_credential > 0,
                "is 0, so no question could be asked for several callers; set both numbers to 1 or more",
            ),
        ] {
            if !is_valid {
                return Err(InvalidSetting::new(setting, problem));
            }
        }
        let interval = self.window.interval();
        if self.time_to_live < interval {
            let time_to_live = self.time_to_live;
            let problem = format!(
                "is {time_to_live:?}, less than the window's interval of {interval:?}; choose {interval:?} or more, or a shorter window"
            );
            return Err(InvalidSetting::new("time_to_live", problem));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        assert_eq!(Settings::default().validate(), Ok(()));
    }

    #[test]
    fn rule_15_every_setting_is_checked() {
        let settings = Settings::default;
        let (none, too_long) = (Duration::ZERO, LONGEST + Duration::from_nanos(1));
        let tenth = Staleness::percent(10);
        for (invalid, name) in [
            (settings().window(none, tenth), "window has an interval"),
            (settings().window(too_long, tenth), "window has an interval"),
            (
                settings().window(LONGEST, Staleness::percent(101)),
                "window has a staleness",
            ),
            (settings().time_to_live(none), "time_to_live is not between"),
            (settings().time_to_live(too_long), "time_to_live is not between"),
            (settings().flight_timeout(none), "flight_timeout is not between"),
            (settings().flight_timeout(too_long), "flight_timeout is not between"),
            (settings().flight_grace(too_long), "flight_grace is longer"),
            (settings().probe_interval(too_long), "probe_interval is longer"),
            (settings().head_lag(too_long), "head_lag is longer"),
            (settings().capacity(ByteSize::bytes((64 << 10) - 1)), "capacity is less"),
            (
                settings().miss_memory(ByteSize::bytes((1 << 30) + 1)),
                "miss_memory is more",
            ),
            (settings().max_flights(0, 1), "max_flights is 0"),
            (settings().max_flights(1, 0), "max_flights is 0"),
        ] {
            let message = invalid.validate().unwrap_err().to_string();
            assert!(message.starts_with(name), "{message}");
            assert!(message.contains("; "), "it does not say what to do: {message}");
        }
    }

    #[test]
    fn rule_17_a_time_to_live_below_the_window_names_both() {
        let seconds = Duration::from_secs;
        let settings = Settings::default().time_to_live(seconds(2));
        assert_eq!(
            settings.validate().unwrap_err().to_string(),
            "time_to_live is 2s, less than the window's interval of 5s; choose 5s or more, or a shorter window"
        );
        let settings = Settings::default().window(seconds(90), Staleness::percent(10));
        assert_eq!(
            settings.validate().unwrap_err().to_string(),
            "time_to_live is 60s, less than the window's interval of 90s; choose 90s or more, or a shorter window"
        );
        assert_eq!(Settings::default().time_to_live(seconds(5)).validate(), Ok(()));
    }

    #[test]
    fn the_ends_of_each_range_are_valid() {
        let shortest = Settings::default()
            .window(Duration::from_millis(1), Staleness::percent(0))
            .time_to_live(Duration::from_millis(1))
            .flight_timeout(Duration::from_millis(1))
            .flight_grace(Duration::ZERO)
            .probe_interval(Duration::ZERO)
            .head_lag(Duration::ZERO)
            .capacity(ByteSize::kibi(64))
            .max_flights(1, 1)
            .max_waiters(0)
            .miss_memory(ByteSize::bytes(0))
            .max_head_reads(0);
        assert_eq!(shortest.validate(), Ok(()));
        let longest = Settings::default()
            .window(LONGEST, Staleness::percent(100))
            .time_to_live(LONGEST)
            .flight_timeout(LONGEST)
            .flight_grace(LONGEST)
            .probe_interval(LONGEST)
            .head_lag(LONGEST);
        assert_eq!(longest.validate(), Ok(()));
    }
}
