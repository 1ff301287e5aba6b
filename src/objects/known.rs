use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::consistency::{Floor, Floors};
use crate::objects::key::ObjectKey;
use crate::objects::record::Record;
use crate::revision::Revision;
use crate::token::TokenFormat;

/// The most floors side by side that one check is given. Beyond it, it is fully consistent.
const MOST_FLOORS: usize = 64;

/// What a replica knows of one record.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// The revisions of its tokens.
    pub(super) revisions: Vec<Revision>,
    /// Until when a write may run whose outcome is unknown.
    unsettled_until: Option<Instant>,
    /// It has a token that can't be read here.
    unreadable: bool,
}

impl Known {
    /// What a record says that was read at `now`.
    pub(super) fn of(record: &Record, format: &dyn TokenFormat, now: Instant) -> Self {
        let mut known = Self {
            unsettled_until: record.unsettled.map(|left| later(now, left)),
            ..Self::default()
        };
        for token in &record.tokens {
            match format.decode(token.as_str()) {
                Ok(revision) => known.revisions.push(revision),
                Err(_) => known.unreadable = true,
            }
        }
        known
    }

    pub(super) fn is_unreadable(&self) -> bool {
        self.unreadable
    }
}

/// What is known of some objects.
#[derive(Clone, Debug, Default)]
pub(crate) struct Picture {
    known: HashMap<ObjectKey, Known>,
    /// The store was asked for it.
    is_asked: bool,
}

impl Picture {
    pub(super) fn of(each: impl IntoIterator<Item = (ObjectKey, Known)>, is_asked: bool) -> Self {
        Self {
            known: each.into_iter().collect(),
            is_asked,
        }
    }

    /// Whether the store was asked for it, and not this process's memory alone.
    pub(crate) fn is_asked(&self) -> bool {
        self.is_asked
    }

    /// Adds what is known of others.
    pub(crate) fn add(&mut self, more: Self) {
        self.known.extend(more.known);
        self.is_asked |= more.is_asked;
    }

    /// What a request has to satisfy that depends on these objects, and arrived at `arrived`.
    pub(crate) fn join(&self, keys: &[ObjectKey], arrived: Instant) -> Remembered {
        let mut joining = Joining::new(arrived);
        let known = keys.iter().filter_map(|key| self.known.get(key));
        known.for_each(|known| joining.add(known));
        joining.joined()
    }
}

/// What a check without a token has to satisfy, from what is remembered of its objects.
#[derive(Clone, Debug)]
pub(crate) enum Remembered {
    /// The answer covers these floors. There may be none.
    Floors(Floors),
    /// Only a fully consistent answer is surely fresh enough.
    Strict(Strict),
}

/// Why only a fully consistent answer is surely fresh enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strict {
    /// A write of one of its objects may still run.
    Unsettled,
    /// The tokens could not be looked up.
    NotKnown,
    /// The request does not say which objects it concerns.
    Unnamed,
}

/// Joins what is known of the objects of one request.
pub(super) struct Joining {
    floors: Floors,
    strict: Option<Strict>,
    arrived: Instant,
}

impl Joining {
    /// For a request that arrived then.
    pub(super) fn new(arrived: Instant) -> Self {
        Self {
            floors: Floors::none(),
            strict: None,
            arrived,
        }
    }

    pub(super) fn add(&mut self, known: &Known) {
        if self.strict.is_some() {
            return;
        }
        if known.unsettled_until.is_some_and(|until| until > self.arrived) {
            self.strict = Some(Strict::Unsettled);
        } else if known.unreadable {
            self.strict = Some(Strict::NotKnown);
        }
        for revision in &known.revisions {
            self.floors.push(Floor {
                revision: revision.clone(),
                demanded: self.arrived,
            });
        }
        if self.floors.iter().count() > MOST_FLOORS {
            self.strict = Some(Strict::NotKnown);
        }
    }

    pub(super) fn joined(self) -> Remembered {
        match self.strict {
            Some(why) => Remembered::Strict(why),
            None => Remembered::Floors(self.floors),
        }
    }
}

/// `now` and some time, or as late as instants go.
pub(super) fn later(now: Instant, duration: Duration) -> Instant {
    const LONG: Duration = Duration::from_secs(86400 * 365);
    now + duration.min(LONG)
}
