//! The ways to cache before SpiceDB, or in it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::hash::Hash;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::time::sleep_until;
use tower_zookie::ByteSize;
use tower_zookie::cache::{Answer, Capabilities, DecisionCache, Keyer, Part, ReadAt, Settings, Weigh};
use tower_zookie::consistency::Staleness;
use tower_zookie::revision::Revision;

use super::callers::{Demand, Request};
use super::store::{Evaluated, Store, Transaction};
use crate::policy::Source;
use crate::policy::ours::entry_bytes;
use crate::workload::Terms;
use crate::world::{Millis, Question};

#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) answer: Evaluated,
    pub(crate) source: Source,
}

/// `None`: an error.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Option<Reply>> + Send>>;

pub(crate) trait Policy: Send + Sync {
    fn answer(self: Arc<Self>, store: Arc<Store>, request: Request) -> Answering;

    /// A transaction begins.
    fn writes(self: Arc<Self>, _store: Arc<Store>, _transaction: &Transaction) {}
}

/// The policies, as rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Quantized,
    Ours,
    OursAround,
    Oracle,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Quantized, Self::Ours, Self::OursAround, Self::Oracle];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Quantized => "quantized, as SpiceDB",
            Self::Ours => "tower-zookie",
            Self::OursAround => "tower-zookie, writes elsewhere",
            Self::Oracle => "causal oracle",
        }
    }

    /// To be called on the runtime of its run.
    pub(crate) fn build(self, terms: &Terms, store: &Store) -> Arc<dyn Policy> {
        match self {
            Self::Quantized => Arc::new(Quantized::default()),
            Self::Ours => Arc::new(Ours::new(terms, store, true)),
            Self::OursAround => Arc::new(Ours::new(terms, store, false)),
            Self::Oracle => Arc::new(Oracle::new(terms)),
        }
    }
}

impl Weigh for Evaluated {
    fn heap_bytes(&self) -> usize {
        0
    }
}

/// [`DecisionCache`], which sees the writes that pass it, or no writes.
struct Ours {
    cache: DecisionCache<Evaluated>,
    keyer: Keyer,
    sees_writes: bool,
}

impl Ours {
    fn new(terms: &Terms, store: &Store, sees_writes: bool) -> Self {
        let example = Evaluated {
            allowed: true,
            revision: store.history.head(0),
        };
        let entry = entry_bytes(&example, &example.revision);
        // An eighth of the capacity is set apart for exact reads.
        let capacity = ByteSize::bytes(terms.entries as u64 * entry * 8 / 7);
        let settings = Settings::default()
            .window(terms.interval, Staleness::percent(terms.staleness))
            .capacity(capacity)
            .time_to_live(terms.time_to_live);
        Self {
            cache: DecisionCache::new(settings, Capabilities::versioned()).expect("the settings make sense"),
            keyer: Keyer::random(),
            sees_writes,
        }
    }
}

impl Policy for Ours {
    fn answer(self: Arc<Self>, store: Arc<Store>, request: Request) -> Answering {
        Box::pin(async move {
            let question = self.keyer.question("hit_rate");
            let question = question.bytes(Part::Resource, &request.question.to_le_bytes()).finish();
            let service = move |at: ReadAt| {
                let store = Arc::clone(&store);
                async move {
                    let answer = store.read(request.question, &at).await;
                    let revision = answer.revision.clone();
                    Ok::<_, Infallible>(Answer::at(answer, revision))
                }
            };
            let checked = self
                .cache
                .check(question, &request.demand.freshness(), service)
                .await
                .ok()?;
            let source = match &checked {
                checked if checked.is_hit() => Source::Hit,
                checked if checked.coalesced => Source::Coalesced,
                _ => Source::Asked,
            };
            let answer = checked.value;
            let claims = checked.revision.is_none_or(|claimed| claimed == answer.revision);
            assert!(
                claims,
                "an answer claims the revision that it was evaluated at, or none"
            );
            Some(Reply { answer, source })
        })
    }

    fn writes(self: Arc<Self>, store: Arc<Store>, transaction: &Transaction) {
        if !self.sees_writes || !transaction.is_write {
            return;
        }
        let (commits, token) = (store.instant(transaction.commits), transaction.token.clone());
        tokio::spawn(async move {
            let write = self.cache.begin_write();
            sleep_until(commits).await;
            write.wrote(&token);
        });
    }
}

/// Entries and flights under the same keys. Nothing limits them.
struct Stored<K> {
    entries: Mutex<HashMap<K, Evaluated>>,
    flights: Mutex<HashMap<K, watch::Receiver<Option<Evaluated>>>>,
}

impl<K> Default for Stored<K> {
    fn default() -> Self {
        Self {
            entries: Mutex::default(),
            flights: Mutex::default(),
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<K: Clone + Eq + Hash> Stored<K> {
    /// The entry or else the answer of the flight under `key`, if `serve` accepts it, and otherwise the store's answer.
    async fn answer(
        &self,
        store: &Store,
        key: K,
        question: Question,
        at: ReadAt,
        serve: impl Fn(Evaluated) -> Option<Evaluated>,
    ) -> Reply {
        let reply = |source| move |answer| Reply { answer, source };
        let entry = locked(&self.entries).get(&key).cloned();
        if let Some(answer) = entry.and_then(&serve) {
            return reply(Source::Hit)(answer);
        }
        let joined = locked(&self.flights).get(&key).cloned();
        if let Some(mut flight) = joined
            && let Ok(landed) = flight.wait_for(Option::is_some).await.map(|landed| landed.clone())
            && let Some(answer) = landed.and_then(&serve)
        {
            return reply(Source::Coalesced)(answer);
        }
        let (land, flight) = watch::channel(None);
        locked(&self.flights).insert(key.clone(), flight);
        let answer = store.read(question, &at).await;
        locked(&self.entries).insert(key.clone(), answer.clone());
        locked(&self.flights).remove(&key);
        land.send_replace(Some(answer.clone()));
        reply(Source::Asked)(answer)
    }
}

/// What SpiceDB's own cache does with whole answers: their key is the revision that they are evaluated at. It knows
/// that revision at once and at no cost.
#[derive(Default)]
struct Quantized(Stored<(Question, Revision)>);

impl Policy for Quantized {
    fn answer(self: Arc<Self>, store: Arc<Store>, request: Request) -> Answering {
        Box::pin(async move {
            let at = match request.demand {
                Demand::AtLeast {
                    floor,
                    head_within: None,
                } => ReadAt::AtLeast(floor),
                Demand::Exact(snapshot) => ReadAt::Exact(snapshot),
                Demand::AtLeast { .. } | Demand::Full => ReadAt::Head,
            };
            let revision = store.revision_for(&at);
            let key = (request.question, revision.clone());
            let at = ReadAt::Exact(revision);
            Some(self.0.answer(&store, key, request.question, at, Some).await)
        })
    }
}

/// The upper bound: a cache that knows which writes change which decision.
struct Oracle {
    bound: Millis,
    stored: Stored<Question>,
}

impl Oracle {
    fn new(terms: &Terms) -> Self {
        Self {
            bound: terms.bound(),
            stored: Stored::default(),
        }
    }

    /// The present revision if the entry is true at it, or else the last revision at which it was true.
    fn holds_at(&self, store: &Store, request: &Request, entry: &Evaluated, now: Millis) -> Option<Revision> {
        let history = &store.history;
        let since = history.next_change(request.question, &entry.revision, now);
        let revision = match since {
            None => history.head(now),
            Some(changed) if now - changed <= self.bound => history.head(changed - 1),
            Some(_) => return None,
        };
        let reaches = request.demand.is_covered(&revision);
        (reaches && revision >= entry.revision).then_some(revision)
    }
}

impl Policy for Oracle {
    fn answer(self: Arc<Self>, store: Arc<Store>, request: Request) -> Answering {
        Box::pin(async move {
            let serve = |entry: Evaluated| {
                let revision = self.holds_at(&store, &request, &entry, store.now())?;
                Some(Evaluated { revision, ..entry })
            };
            let question = request.question;
            Some(
                self.stored
                    .answer(&store, question, question, ReadAt::Head, serve)
                    .await,
            )
        })
    }
}
