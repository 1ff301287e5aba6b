//! A cache that finds answers under a key, by any rule.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::lru::Lru;
use super::{Answering, Policy, Reply, Source};
use crate::upstream::{Answer, At, Upstream};
use crate::workload::{Check, Terms};
use crate::world::Question;

/// The question, and the revision that is part of the key if there is one.
pub(crate) type Key = (Question, u64);

/// The differences between such caches.
pub(crate) trait Rule: Send + Sync + 'static {
    /// Whether concurrent misses of the same key share a call.
    const COALESCES: bool = false;

    /// The key to look up, and what to ask if it has no entry.
    fn plan(&self, upstream: &Upstream, check: &Check) -> (Key, At);

    /// The answer of an entry to a check that arrived just now, if it may be served.
    fn serve(&self, entry: &Answer, upstream: &Upstream, check: &Check) -> Option<Answer>;

    /// The key under which an answer is stored.
    fn store_under(&self, planned: Key, _answer: &Answer) -> Key {
        planned
    }
}

type Flights = HashMap<Key, watch::Receiver<Option<Answer>>>;

pub(crate) struct Keyed<R> {
    rule: R,
    entries: Mutex<Lru<Key, Answer>>,
    flights: Mutex<Flights>,
}

impl<R: Rule> Keyed<R> {
    pub(crate) fn new(rule: R, terms: &Terms) -> Arc<Self> {
        Arc::new(Self {
            rule,
            entries: Mutex::new(Lru::new(terms.entries)),
            flights: Mutex::default(),
        })
    }

    async fn fly(&self, upstream: &Upstream, check: &Check, key: Key, at: At) -> Reply {
        if !R::COALESCES {
            let answer = self.ask(upstream, check, key, at).await;
            return Reply {
                answer,
                source: Source::Asked,
            };
        }
        let joined = self.flights().get(&key).cloned();
        if let Some(mut flight) = joined
            && let Ok(landed) = flight.wait_for(Option::is_some).await.map(|landed| *landed)
            && let Some(answer) = landed.and_then(|answer| self.rule.serve(&answer, upstream, check))
        {
            return Reply {
                answer,
                source: Source::Coalesced,
            };
        }
        let (land, flight) = watch::channel(None);
        self.flights().insert(key, flight);
        let answer = self.ask(upstream, check, key, at).await;
        self.flights().remove(&key);
        land.send_replace(Some(answer));
        Reply {
            answer,
            source: Source::Asked,
        }
    }

    async fn ask(&self, upstream: &Upstream, check: &Check, key: Key, at: At) -> Answer {
        let answer = upstream.ask(check.question, at).await;
        let key = self.rule.store_under(key, &answer);
        self.entries().insert(key, answer);
        answer
    }

    fn entries(&self) -> MutexGuard<'_, Lru<Key, Answer>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn flights(&self) -> MutexGuard<'_, Flights> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R: Rule> Policy for Keyed<R> {
    fn check(self: Arc<Self>, upstream: Arc<Upstream>, check: Check) -> Answering {
        Box::pin(async move {
            let (key, at) = self.rule.plan(&upstream, &check);
            let entry = self.entries().get(&key);
            match entry.and_then(|entry| self.rule.serve(&entry, &upstream, &check)) {
                Some(answer) => Reply {
                    answer,
                    source: Source::Hit,
                },
                None => self.fly(&upstream, &check, key, at).await,
            }
        })
    }
}
