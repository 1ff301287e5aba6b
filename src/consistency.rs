//! From what a caller asks for to what a cached answer must satisfy.
//!
//! A request has one of five consistencies, a [`Consistency`], and any number of tokens. Together with the age bound that
//! [`Settings::window`](crate::cache::Settings::window) sets they become one [`Freshness`], and that is all the cache looks
//! at.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use http::HeaderName;
use tokio::time::Instant;

use crate::revision::Revision;

/// The header in which a request states its consistency.
pub(crate) const CONSISTENCY: HeaderName = HeaderName::from_static("zookie-consistency");

/// What a caller asks for, in the words of SpiceDB's API.
///
/// A service that meets one that it does not know rejects the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Consistency {
    /// Any answer within the layer's age bound. The default without a token.
    MinimizeLatency,
    /// An answer that covers the caller's tokens. The default with a token.
    AtLeastAsFresh,
    /// The answer at exactly the caller's token.
    AtExactSnapshot,
    /// An answer at head: nothing cached.
    FullyConsistent,
    /// An answer that was read at head no longer ago than this.
    BoundedStaleness(Duration),
}

/// A text that does not name one of the five consistencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown consistency; say minimize-latency, at-least-as-fresh, at-exact-snapshot, fully-consistent, \
     or bounded-staleness=DURATION with ms, s or m, such as bounded-staleness=2s"
)]
#[non_exhaustive]
pub struct UnknownConsistency;

impl FromStr for Consistency {
    type Err = UnknownConsistency;

    /// Reads the form of the header `zookie-consistency`.
    fn from_str(text: &str) -> Result<Self, UnknownConsistency> {
        match text.trim() {
            "minimize-latency" => Ok(Self::MinimizeLatency),
            "at-least-as-fresh" => Ok(Self::AtLeastAsFresh),
            "at-exact-snapshot" => Ok(Self::AtExactSnapshot),
            "fully-consistent" => Ok(Self::FullyConsistent),
            other => {
                let bound = other.strip_prefix("bounded-staleness=").ok_or(UnknownConsistency)?;
                Ok(Self::BoundedStaleness(parse_duration(bound).ok_or(UnknownConsistency)?))
            }
        }
    }
}

fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u32 = digits.parse().ok()?;
    match &text[digits.len()..] {
        "ms" => Some(Duration::from_millis(number.into())),
        "s" => Some(Duration::from_secs(number.into())),
        "m" => Some(Duration::from_secs(u64::from(number) * 60)),
        _ => None,
    }
}

impl fmt::Display for Consistency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MinimizeLatency => f.write_str("minimize-latency"),
            Self::AtLeastAsFresh => f.write_str("at-least-as-fresh"),
            Self::AtExactSnapshot => f.write_str("at-exact-snapshot"),
            Self::FullyConsistent => f.write_str("fully-consistent"),
            Self::BoundedStaleness(bound) => write!(f, "bounded-staleness={}ms", bound.as_millis()),
        }
    }
}

/// How much longer than its window an answer may live, in percent of the interval, as SpiceDB's
/// `--datastore-revision-quantization-max-staleness-percent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Staleness(u8);

impl Staleness {
    /// `percent` of the interval, at most 100.
    #[must_use]
    pub const fn percent(percent: u8) -> Self {
        Self(percent)
    }
}

/// One quantization interval, and how far its end is spread.
///
/// No answer is older than [`Window::bound`]. Where between the interval and the bound an answer's life ends is jittered
/// by question, deterministically, so that answers do not all die at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    interval: Duration,
    staleness: Staleness,
}

impl Window {
    /// A window of this interval and staleness.
    pub(crate) const fn new(interval: Duration, staleness: Staleness) -> Self {
        Self { interval, staleness }
    }

    /// The interval.
    pub(crate) const fn interval(&self) -> Duration {
        self.interval
    }

    /// The age that no answer exceeds: interval × (1 + staleness).
    pub(crate) fn bound(&self) -> Duration {
        self.interval + self.spread(u32::MAX)
    }

    /// Whether the staleness is one that the settings allow.
    pub(crate) const fn has_valid_staleness(&self) -> bool {
        self.staleness.0 <= 100
    }

    /// The greatest age of an answer to the question of this jitter.
    pub(crate) fn max_age(&self, jitter: u32) -> Duration {
        self.interval + self.spread(jitter)
    }

    /// Whether an answer of this age to the question of this jitter is still young enough.
    pub(crate) fn allows(&self, age: Duration, jitter: u32) -> bool {
        age <= self.interval || age <= self.max_age(jitter)
    }

    fn spread(&self, jitter: u32) -> Duration {
        let share = f64::from(jitter) / f64::from(u32::MAX);
        self.interval.mul_f64(f64::from(self.staleness.0) / 100.0 * share)
    }
}

impl Default for Window {
    /// SpiceDB's defaults: 5 s and 10 %.
    fn default() -> Self {
        Self::new(Duration::from_secs(5), Staleness::percent(10))
    }
}

/// A revision that an answer must cover.
#[derive(Clone, Debug)]
pub struct Floor {
    pub(crate) revision: Revision,
    /// When the request that demands it came.
    pub(crate) demanded: Instant,
}

impl Floor {
    /// The floor of a request that comes now.
    pub fn now(revision: Revision) -> Self {
        Self {
            revision,
            demanded: Instant::now(),
        }
    }

    /// The revision.
    pub fn revision(&self) -> &Revision {
        &self.revision
    }
}

/// The revisions that an answer must cover, all of them.
///
/// Mostly at most one. Tokens with a join count as their join; tokens without a join stand side by side.
#[derive(Clone, Debug, Default)]
pub struct Floors {
    first: Option<Floor>,
    others: Vec<Floor>,
}

impl Floors {
    /// No floor.
    pub const fn none() -> Self {
        Self {
            first: None,
            others: Vec::new(),
        }
    }

    /// Adds a floor. It is joined with those that are there and have a join with it.
    pub fn push(&mut self, mut floor: Floor) {
        let mut absorb = |known: &Floor| match known.revision.join(&floor.revision) {
            Some(revision) => {
                let demanded = known.demanded.max(floor.demanded);
                floor = Floor { revision, demanded };
                true
            }
            None => false,
        };
        self.first.take_if(|known| absorb(known));
        self.others.retain(|known| !absorb(known));
        match self.first {
            None => self.first = Some(floor),
            Some(_) => self.others.push(floor),
        }
    }

    /// Whether there is no floor.
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// All floors.
    pub fn iter(&self) -> impl Iterator<Item = &Floor> + Clone {
        self.first.iter().chain(&self.others)
    }

    /// The one floor at or after all others, if there is such a floor.
    pub fn top(&self) -> Option<&Floor> {
        let first = self.first.as_ref()?;
        let is_top = |top: &&Floor| self.iter().all(|floor| top.revision >= floor.revision);
        std::iter::once(first).chain(&self.others).find(is_top)
    }
}

impl IntoIterator for Floors {
    type Item = Floor;
    type IntoIter = std::iter::Chain<std::option::IntoIter<Floor>, std::vec::IntoIter<Floor>>;

    fn into_iter(self) -> Self::IntoIter {
        self.first.into_iter().chain(self.others)
    }
}

impl FromIterator<Floor> for Floors {
    fn from_iter<I: IntoIterator<Item = Floor>>(floors: I) -> Self {
        let mut all = Self::none();
        floors.into_iter().for_each(|floor| all.push(floor));
        all
    }
}

impl From<Floor> for Floors {
    fn from(floor: Floor) -> Self {
        Self {
            first: Some(floor),
            others: Vec::new(),
        }
    }
}

/// The floor of a request that comes now.
impl From<Revision> for Floors {
    fn from(revision: Revision) -> Self {
        Floor::now(revision).into()
    }
}

impl From<Option<Floor>> for Floors {
    fn from(first: Option<Floor>) -> Self {
        Self {
            first,
            others: Vec::new(),
        }
    }
}

/// What a cached answer must satisfy.
///
/// ```
/// use std::time::Duration;
/// use tower_zookie::consistency::Freshness;
/// use tower_zookie::revision::{Counter, Revision, StoreId};
///
/// let written = Revision::new(StoreId::new(["example"]), Counter(42));
/// let covers_my_write = Freshness::at_least(written);
/// let and_is_young = covers_my_write.head_within(Duration::from_secs(2));
/// # let _ = and_is_young;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Freshness {
    /// The answer covers the floors, is no older than the window allows, and, if `head_within` is given, was read at
    /// head no longer ago than that.
    #[non_exhaustive]
    AtLeast {
        /// The revisions to cover, if any.
        floors: Floors,
        /// The age bound that the caller adds: it counts from calls that were fully consistent.
        head_within: Option<Duration>,
    },
    /// The answer holds at exactly this revision.
    Exact(Revision),
    /// No cached answer satisfies this.
    Full,
}

impl Freshness {
    /// Any answer within the window.
    pub const fn any() -> Self {
        Self::AtLeast {
            floors: Floors::none(),
            head_within: None,
        }
    }

    /// An answer within the window that covers all these floors; a [`Revision`] is one.
    pub fn at_least(floors: impl Into<Floors>) -> Self {
        Self::AtLeast {
            floors: floors.into(),
            head_within: None,
        }
    }

    /// The same, and the answer was read at head no longer ago than `bound`. An exact or full freshness stays what it is.
    #[must_use]
    pub fn head_within(self, bound: Duration) -> Self {
        match self {
            Self::AtLeast { floors, head_within } => Self::AtLeast {
                floors,
                head_within: Some(head_within.map_or(bound, |known| known.min(bound))),
            },
            other => other,
        }
    }

    /// The revision that an answer must cover or hold at; the greatest, if there are several floors.
    pub fn revision(&self) -> Option<&Revision> {
        match self {
            Self::AtLeast { floors, .. } => floors.top().map(|floor| &floor.revision),
            Self::Exact(revision) => Some(revision),
            Self::Full => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_consistency_reads_back() {
        for consistency in [
            Consistency::MinimizeLatency,
            Consistency::AtLeastAsFresh,
            Consistency::AtExactSnapshot,
            Consistency::FullyConsistent,
            Consistency::BoundedStaleness(Duration::from_millis(1500)),
        ] {
            assert_eq!(consistency.to_string().parse(), Ok(consistency));
        }
        assert_eq!(
            "bounded-staleness=2s".parse(),
            Ok(Consistency::BoundedStaleness(Duration::from_secs(2)))
        );
        assert_eq!(
            "bounded-staleness=1m".parse(),
            Ok(Consistency::BoundedStaleness(Duration::from_secs(60)))
        );
    }

    #[test]
    fn unknown_consistencies_are_errors() {
        for text in [
            "",
            "fresh",
            "bounded-staleness",
            "bounded-staleness=",
            "bounded-staleness=2",
            "bounded-staleness=-1s",
            "bounded-staleness=2h",
            "bounded-staleness=99999999999s",
            "bounded-staleness=é",
        ] {
            assert_eq!(text.parse::<Consistency>(), Err(UnknownConsistency), "{text}");
        }
    }

    #[test]
    fn rule_04_the_jittered_end_lies_between_interval_and_bound() {
        let window = Window::new(Duration::from_secs(5), Staleness::percent(10));
        assert_eq!(window.max_age(0), Duration::from_secs(5));
        assert_eq!(window.max_age(u32::MAX), window.bound());
        assert_eq!(window.bound(), Duration::from_millis(5500));
        assert!(window.max_age(u32::MAX / 2) < window.bound());
    }
}
