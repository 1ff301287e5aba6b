use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How often one warning is logged at most.
const PAUSE: Duration = Duration::from_secs(60);

/// What the layer warns of. Each warning is counted every time, and logged at level WARN at most once a minute; the log line
/// names the setting to change.
///
/// [`Stats::warnings`](crate::cache::Stats::warnings) has the counts, under the warnings' names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Warning {
    /// `other_engine`: the configured engine can't read the tokens that the service names in its replies.
    OtherEngine,
    /// `other_system`: a request belongs to another authorization system than the configured one.
    OtherSystem,
    /// `no_route`: requests pass, and none has ever matched a route.
    NoRoute,
    /// `no_token`: the service names no token in its replies, where the cache needs one.
    NoToken,
    /// `unreadable_token`: a token in a reply of the service can't be read, with whatever engine.
    UnreadableToken,
    /// `no_verdict`: replies succeed, and no verdict has ever been found in one.
    NoVerdict,
    /// `checks_without_token`: checks come without a token, and the system then reads each at head.
    ChecksWithoutToken,
    /// `changing_key`: equal questions never meet, because a part of the key changes with each request.
    ChangingKey,
    /// `behind`: a reply lies below what was asked.
    Behind,
    /// `feed_ended`: the change feed ended, or can't be opened.
    FeedEnded,
    /// `feed_lost`: the store no longer has the changes since the change feed ended.
    FeedLost,
    /// `feed_schema`: the change feed's schema can't be read or understood.
    FeedSchema,
    /// `feed_structure`: more relationships lead on than may be kept.
    FeedStructure,
    /// `foreign_feed`: the change feed is of another store than the one that answers.
    ForeignFeed,
    /// `feed_unread`: the change feed reports something that this version can't read.
    FeedUnread,
    /// `feed_without_schema`: the change feed does not report changes of the schema.
    FeedWithoutSchema,
    /// `not_recorded`: a write was made, and its token could not be recorded for its objects.
    NotRecorded,
    /// `objects_unavailable`: the store of objects' tokens failed or was too slow, or its feed ended.
    ObjectsUnavailable,
    /// `foreign_record`: a token in the store of objects' tokens can't be read here, or belongs to another store.
    ForeignRecord,
    /// `ancestors_unread`: the ancestors of a check's objects could not be read.
    AncestorsUnread,
}

impl Warning {
    /// All warnings.
    pub const ALL: &'static [Self] = &[
        Self::OtherEngine,
        Self::OtherSystem,
        Self::NoRoute,
        Self::NoToken,
        Self::UnreadableToken,
        Self::NoVerdict,
        Self::ChecksWithoutToken,
        Self::ChangingKey,
        Self::Behind,
        Self::FeedEnded,
        Self::FeedLost,
        Self::FeedSchema,
        Self::FeedStructure,
        Self::ForeignFeed,
        Self::FeedUnread,
        Self::FeedWithoutSchema,
        Self::NotRecorded,
        Self::ObjectsUnavailable,
        Self::ForeignRecord,
        Self::AncestorsUnread,
    ];

    /// The name under which it is counted.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OtherEngine => "other_engine",
            Self::OtherSystem => "other_system",
            Self::NoRoute => "no_route",
            Self::NoToken => "no_token",
            Self::UnreadableToken => "unreadable_token",
            Self::NoVerdict => "no_verdict",
            Self::ChecksWithoutToken => "checks_without_token",
            Self::ChangingKey => "changing_key",
            Self::Behind => "behind",
            Self::FeedEnded => "feed_ended",
            Self::FeedLost => "feed_lost",
            Self::FeedSchema => "feed_schema",
            Self::FeedStructure => "feed_structure",
            Self::ForeignFeed => "foreign_feed",
            Self::FeedUnread => "feed_unread",
            Self::FeedWithoutSchema => "feed_without_schema",
            Self::NotRecorded => "not_recorded",
            Self::ObjectsUnavailable => "objects_unavailable",
            Self::ForeignRecord => "foreign_record",
            Self::AncestorsUnread => "ancestors_unread",
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Counts warnings, and has each logged once in a while.
///
/// A warning means that something is wrong, so a lock costs little here.
#[derive(Debug)]
pub(crate) struct Warnings(Mutex<BTreeMap<&'static str, Given>>);

#[derive(Debug, Default)]
struct Given {
    times: u64,
    logged: Option<Instant>,
}

impl Default for Warnings {
    fn default() -> Self {
        let names = Warning::ALL.iter().map(|warning| (warning.name(), Given::default()));
        Self(Mutex::new(names.collect()))
    }
}

impl Warnings {
    /// Counts a warning, and runs `log` if the warning was not logged within a minute.
    pub(crate) fn give(&self, name: &'static str, log: impl FnOnce()) {
        if self.count(name, Instant::now()) {
            log();
        }
    }

    /// Counts these from now on, though none has been given yet.
    pub(crate) fn expect(&self, names: &[&'static str]) {
        let mut given = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for name in names {
            given.entry(name).or_default();
        }
    }

    fn count(&self, name: &'static str, now: Instant) -> bool {
        let mut given = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let given = given.entry(name).or_default();
        given.times += 1;
        let is_due = given
            .logged
            .is_none_or(|logged| now.saturating_duration_since(logged) >= PAUSE);
        if is_due {
            given.logged = Some(now);
        }
        is_due
    }

    /// How often each warning was given.
    pub(crate) fn counts(&self) -> BTreeMap<&'static str, u64> {
        let given = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        given.iter().map(|(name, given)| (*name, given.times)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_17_a_warning_is_counted_each_time_and_logged_once_a_minute() {
        let warnings = Warnings::default();
        let now = Instant::now();
        let second = |n| now + Duration::from_secs(n);
        let logged: Vec<bool> = [0, 1, 59, 60, 61].map(|n| warnings.count("behind", second(n))).into();
        assert_eq!(logged, [true, false, false, true, false]);
        assert!(warnings.count("of_a_program", second(61)), "each name by itself");
        let counts = warnings.counts();
        assert_eq!((counts["behind"], counts["of_a_program"]), (5, 1));
    }

    #[test]
    fn every_warning_is_listed_with_a_count_from_the_start() {
        let counts = Warnings::default().counts();
        assert_eq!(counts.len(), Warning::ALL.len());
        assert!(Warning::ALL.iter().all(|warning| counts[warning.name()] == 0));
        let warnings = Warnings::default();
        warnings.give("of_a_program", || {});
        warnings.expect(&["of_a_program", "of_another"]);
        let counts = warnings.counts();
        assert_eq!((counts["of_a_program"], counts["of_another"]), (1, 0));
    }
}
