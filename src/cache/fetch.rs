//! How the cache asks the upstream.

use std::slice;
use std::sync::Arc;
use std::time::Duration;

use crate::cache::fingerprint::Fingerprint;
use crate::cache::flight::Flight;
use crate::cache::miss::NotStored;
use crate::cache::purpose::Purpose;
use crate::cache::read_at::ReadAt;
use crate::cache::stats::Counters;
use crate::changes::{Question, Verdict};
use crate::knowledge::Knowledge;
use crate::revision::Revision;

/// Asks the upstream the questions of one request. A clone asks once.
pub(crate) trait Fetch<V>: Clone + Send + 'static {
    /// The reply as its own caller gets it.
    type Own: Send + 'static;

    fn ask(self, turn: Turn<V>) -> impl Future<Output = Replied<V, Self::Own>> + Send + 'static;

    /// Whether [`probe`](Self::probe) can name a fresh revision.
    fn can_probe(&self) -> bool {
        false
    }

    /// Asks the store for its head and nothing else.
    fn read_head(self, turn: Turn<V>) -> impl Future<Output = Option<Revision>> + Send + 'static {
        drop(turn);
        std::future::ready(None)
    }

    /// Asks the store for a fresh revision and nothing else.
    fn probe(self, turn: Turn<V>) -> impl Future<Output = Option<Revision>> + Send + 'static {
        drop(turn);
        std::future::ready(None)
    }
}

/// The questions that one upstream call is to answer: one at least.
#[derive(Clone, Debug)]
pub(crate) struct Questions {
    /// The flight's name: the question itself, or one fingerprint for all.
    pub(crate) flight: Fingerprint,
    /// `None`: the flight's name is the only question.
    several: Option<Arc<[Fingerprint]>>,
    /// Who asks, for the cap on flights.
    pub(crate) credential: u64,
}

impl Questions {
    pub(crate) fn one(question: Fingerprint, credential: u64) -> Self {
        Self {
            flight: question,
            several: None,
            credential,
        }
    }

    /// The questions `each` in one call, whose flight has this name.
    pub(crate) fn several(each: Arc<[Fingerprint]>, flight: Fingerprint, credential: u64) -> Self {
        Self {
            flight,
            several: Some(each),
            credential,
        }
    }

    pub(crate) fn each(&self) -> &[Fingerprint] {
        match &self.several {
            Some(several) => several,
            None => slice::from_ref(&self.flight),
        }
    }
}

/// One upstream call, about to be made.
pub(crate) struct Turn<V> {
    pub(crate) ask: ReadAt,
    pub(crate) purpose: Purpose,
    /// The reply may be stored or given to others, so the forwarded request must contain nothing of the caller's own
    /// spelling.
    pub(crate) shared: bool,
    pub(super) counters: Arc<Counters>,
    pub(super) knowledge: Arc<Knowledge>,
    pub(super) flight: Arc<Flight<V>>,
}

impl<V> Turn<V> {
    /// To be called just before the upstream is: what it answers is no older than this instant.
    pub(crate) fn begin(&self) {
        self.counters.upstream_call(self.purpose);
        self.flight.begin(self.knowledge.begin());
    }
}

/// What came of one upstream call, each time with the reply as its own caller gets it.
#[derive(Debug)]
pub(crate) enum Replied<V, O> {
    Answered {
        own: O,
        /// In the order of the questions; fewer where the upstream stopped early.
        items: Vec<Item<V>>,
        /// The revision that the reply names, or why it names none.
        revision: Result<Revision, NotStored>,
    },
    /// The reply holds no answer that another caller could share.
    Unshared {
        own: O,
        why: NotStored,
    },
    /// The upstream would not answer at the revision that it was asked at.
    RevisionRejected {
        own: O,
    },
    Failed {
        own: O,
    },
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Item<V> {
    pub(crate) value: V,
    /// Why the answer may not be stored.
    pub(crate) not_stored: Option<NotStored>,
    pub(crate) expires_in: Option<Duration>,
    /// What was asked and answered, as far as changes are told apart by it.
    pub(crate) about: About,
}

/// What an answer is about.
#[derive(Clone, Debug, Default)]
pub(crate) struct About {
    /// `None`: it can't be told, so every change concerns it.
    pub(crate) question: Option<Question>,
    pub(crate) verdict: Verdict,
}
