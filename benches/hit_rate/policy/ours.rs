//! The crate's own cache.

use std::convert::Infallible;
use std::sync::Arc;

use tokio::runtime::Builder;
use tower_zookie::cache::{
    Answer as Answered, ByteSize, Capabilities, Checked, DecisionCache, Fingerprint, Keyer, Part, ReadAt, Settings,
    Weigh,
};
use tower_zookie::consistency::{Freshness, Staleness, Window};
use tower_zookie::revision::{Counter, Revision, StoreId};

use super::{Answering, Policy, Reply, Source};
use crate::upstream::{Answer, At, Upstream};
use crate::workload::{Check, Terms};

/// [`DecisionCache`], which sees the writes that pass it, or no writes.
///
/// Its ages run on the simulated clock. Only the memory of dead entries is freed by the real one, which hardly moves
/// here, so that they stay until room is needed.
pub(crate) struct Ours {
    cache: DecisionCache<Answer>,
    keyer: Keyer,
    store: StoreId,
    sees_writes: bool,
}

impl Weigh for Answer {
    fn heap_bytes(&self) -> usize {
        0
    }
}

impl Ours {
    pub(crate) fn new(terms: &Terms, sees_writes: bool) -> Self {
        let window = Window::new(terms.interval, Staleness::percent(terms.staleness));
        let store = StoreId::new(["hit_rate"]);
        let example = Answer {
            allowed: true,
            revision: 1,
            as_of: 0,
        };
        let entry = entry_bytes(&example, &Revision::new(store.clone(), Counter(1)));
        // An eighth of the capacity is reserved for exact reads, and there are no exact reads here.
        let capacity = ByteSize::bytes(terms.entries as u64 * entry * 8 / 7);
        let settings = Settings::default()
            .window(window)
            .capacity(capacity)
            .time_to_live(terms.time_to_live);
        Self {
            cache: DecisionCache::new(settings, Capabilities::versioned()).expect("the settings make sense"),
            keyer: Keyer::random(),
            store,
            sees_writes,
        }
    }

    fn revision(&self, number: u64) -> Revision {
        Revision::new(self.store.clone(), Counter(number))
    }

    fn fingerprint(&self, check: &Check) -> Fingerprint {
        let question = self.keyer.question("hit_rate");
        question.bytes(Part::Resource, &check.question.to_le_bytes()).finish()
    }
}

impl Policy for Ours {
    fn check(self: Arc<Self>, upstream: Arc<Upstream>, check: Check) -> Answering {
        Box::pin(async move {
            let freshness = match check.floor {
                Some(floor) => Freshness::at_least(self.revision(floor)),
                None => Freshness::any(),
            };
            let ours = Arc::clone(&self);
            let service = move |ask: ReadAt| {
                let (ours, upstream) = (Arc::clone(&ours), Arc::clone(&upstream));
                async move {
                    assert!(!matches!(ask, ReadAt::Exact(_)), "no caller asks for a snapshot");
                    // "At least" as much as "head": a store that does not quantize answers with the newest that it has.
                    let answer = upstream.ask(check.question, At::Head).await;
                    Ok::<_, Infallible>(Answered::at(answer, ours.revision(answer.revision)))
                }
            };
            let checked = self.cache.check(self.fingerprint(&check), &freshness, service).await;
            let checked = checked.expect("an upstream that never fails");
            let labelled = checked
                .revision
                .as_ref()
                .is_none_or(|label| *label == self.revision(checked.value.revision));
            assert!(labelled, "an answer names the revision that it was evaluated at");
            Reply {
                answer: checked.value,
                source: source(&checked),
            }
        })
    }

    fn wrote(&self, revision: u64) {
        if self.sees_writes {
            self.cache.begin_write().wrote(&self.revision(revision));
        }
    }
}

fn source(checked: &Checked<Answer>) -> Source {
    match checked {
        checked if checked.is_hit() => Source::Hit,
        checked if checked.coalesced => Source::Coalesced,
        _ => Source::Asked,
    }
}

/// The memory of one entry, as the cache reports it.
pub(crate) fn entry_bytes<V: Weigh>(example: &V, revision: &Revision) -> u64 {
    // On a thread of its own, because a runtime can't wait within another.
    std::thread::scope(|scope| {
        let (example, revision) = (example.clone(), revision.clone());
        let measured = scope.spawn(move || measure_entry(example, revision));
        measured.join().expect("an answer can be stored")
    })
}

fn measure_entry<V: Weigh>(example: V, revision: Revision) -> u64 {
    let cache = DecisionCache::<V>::new(Settings::default(), Capabilities::versioned());
    let cache = cache.expect("the defaults make sense");
    let question = Keyer::random().question("hit_rate").finish();
    let service = move |_| {
        let answered = Answered::at(example.clone(), revision.clone());
        async move { Ok::<_, Infallible>(answered) }
    };
    let runtime = Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime without I/O can be built");
    let stored = runtime.block_on(cache.check(question, &Freshness::any(), service));
    assert!(stored.is_ok_and(|checked| checked.stored), "the answer is stored");
    cache.stats().bytes
}
