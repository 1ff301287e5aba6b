//! The crate's own cache.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Builder;
use tower_zookie::ByteSize;
use tower_zookie::cache::{Answer as Answered, Capabilities, Checked, DecisionCache, Fingerprint, Keyer, ReadAt};
use tower_zookie::cache::{Part, Settings, Weigh};
use tower_zookie::changes::Verdict;
use tower_zookie::consistency::{Freshness, Staleness};
use tower_zookie::revision::{Counter, Revision};
use tower_zookie::token::{CounterTokens, TokenFormat};

use super::{Answering, Policy, Reply, Source};
use crate::feed::{FeedTerms, RecordedFeed};
use crate::upstream::{Answer, At, Upstream};
use crate::workload::{Check, Terms};
use crate::world::World;

/// How many questions are asked to measure the memory of their entries.
const MEASURED: u32 = 500;

/// [`DecisionCache`], which sees the writes that pass it, or no writes.
///
/// Its ages run on the simulated clock. Only the memory of dead entries is freed by the real one, which hardly moves
/// here, so that they stay until room is needed.
pub(crate) struct Ours {
    cache: DecisionCache<Answer>,
    keyer: Keyer,
    revisions: CounterTokens,
    sees_writes: bool,
    /// Names the questions, where a feed is followed.
    names: Option<World>,
}

impl Weigh for Answer {
    fn heap_bytes(&self) -> usize {
        0
    }
}

impl Ours {
    pub(crate) fn new(terms: &Terms, sees_writes: bool) -> Self {
        let revisions = CounterTokens::new("hit_rate");
        let example = Answer {
            allowed: true,
            revision: 1,
            as_of: 0,
        };
        let entry = entry_bytes(&example, &revision(&revisions, 1));
        Self::of(&settings(terms, entry), revisions, sees_writes)
    }

    fn of(settings: &Settings, revisions: CounterTokens, sees_writes: bool) -> Self {
        let cache = DecisionCache::new(settings.clone(), Capabilities::versioned());
        Self {
            cache: cache.expect("the settings make sense"),
            keyer: Keyer::random(),
            revisions,
            sees_writes,
            names: None,
        }
    }

    /// One that follows the feed of the history until the run ends, with or without the relationships that lead on.
    pub(crate) fn followed(terms: &Terms, world: &World, structure: bool) -> Self {
        let settings = |entry| match structure {
            true => settings(terms, entry),
            false => settings(terms, entry).structure(0),
        };
        let entry = followed_entry_bytes(world, &settings(u64::from(u16::MAX)));
        let followed = Self::of(&settings(entry), CounterTokens::new("hit_rate"), true);
        followed.following(world, terms.feed)
    }

    fn following(self, world: &World, terms: FeedTerms) -> Self {
        let (cache, feed) = (
            self.cache.clone(),
            RecordedFeed::new(world, terms, self.revisions.clone()),
        );
        tokio::spawn(async move { cache.follow(feed).await });
        Self {
            names: Some(world.clone()),
            ..self
        }
    }

    fn revision(&self, number: u64) -> Revision {
        revision(&self.revisions, number)
    }

    /// What an answer is about, where a feed is followed.
    fn named(&self, answered: Answered<Answer>, question: u32, allowed: bool) -> Answered<Answer> {
        let Some(world) = &self.names else { return answered };
        let verdict = if allowed { Verdict::Yes } else { Verdict::No };
        answered.about(world.recorded().asked(question).named(), verdict)
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
                    let answered = Answered::at(answer, ours.revision(answer.revision));
                    Ok::<_, Infallible>(ours.named(answered, check.question, answer.allowed))
                }
            };
            let checked = self.cache.check(self.fingerprint(&check), &freshness, service).await;
            let checked = checked.expect("an upstream that never fails");
            let evaluated = self.revision(checked.value.revision);
            let labelled = match (&checked.revision, &self.names) {
                (Some(label), Some(_)) => *label >= evaluated,
                (Some(label), None) => *label == evaluated,
                (None, _) => true,
            };
            assert!(
                labelled,
                "an answer names the revision that it was evaluated at, or through which it is true"
            );
            // The judge looks at the newest revision that the answer is said to be true at.
            let claims = [&checked.through, &checked.revision].into_iter().flatten().map(number);
            let claimed = claims.max().unwrap_or(checked.value.revision);
            let answer = Answer {
                revision: claimed,
                ..checked.value
            };
            Reply {
                answer,
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

fn revision(revisions: &CounterTokens, number: u64) -> Revision {
    let revision = revisions.decode(&number.to_string());
    revision.expect("a number is a token")
}

/// The number of a revision.
fn number(revision: &Revision) -> u64 {
    revision.point().map_or(0, |Counter(number)| *number)
}

fn source(checked: &Checked<Answer>) -> Source {
    match checked {
        checked if checked.is_hit() => Source::Hit,
        checked if checked.coalesced => Source::Coalesced,
        _ => Source::Asked,
    }
}

/// With room for as many entries of this size as the terms allow.
fn settings(terms: &Terms, entry: u64) -> Settings {
    // An eighth of the capacity is reserved for exact reads, and there are no exact reads here.
    let capacity = ByteSize::bytes(terms.entries as u64 * entry * 8 / 7);
    Settings::default()
        .window(terms.interval, Staleness::percent(terms.staleness))
        .capacity(capacity)
        .time_to_live(terms.time_to_live)
}

/// The memory of an entry of a popular question where a feed is followed, on average.
fn followed_entry_bytes(world: &World, settings: &Settings) -> u64 {
    std::thread::scope(|scope| {
        let measured = scope.spawn(|| {
            let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
            let runtime = runtime.expect("a runtime without I/O can be built");
            runtime.block_on(measure_followed(world, settings))
        });
        measured.join().expect("answers can be stored")
    })
}

async fn measure_followed(world: &World, settings: &Settings) -> u64 {
    let ours = Ours::of(settings, CounterTokens::new("hit_rate"), false);
    let ours = Arc::new(ours.following(world, FeedTerms::AT_ONCE));
    // The feed opens.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let upstream = Arc::new(Upstream::new(world.clone(), Duration::ZERO));
    for question in 0..MEASURED {
        let check = Check {
            at: 0,
            question,
            floor: None,
        };
        Arc::clone(&ours).check(Arc::clone(&upstream), check).await;
    }
    let stats = ours.cache.stats();
    stats.bytes / stats.entries.max(1)
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
