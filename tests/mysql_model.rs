//! A store that numbers its transactions when they begin, as SpiceDB on MySQL does. They commit in any order, and a
//! read "at 43" sees those with a number up to 43 that are committed at that time. In any order, and whatever numbers
//! others guess before they are committed, a caller with a token gets answers that include everything that had happened
//! up to it.

use std::convert::Infallible;
use std::future::ready;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestRunner;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tower_zookie::cache::{
    Answer, Capabilities, CheckError, Checked, DecisionCache, Fingerprint, Keyer, ReadAt, Settings, Weigh,
};
use tower_zookie::consistency::{Floor, Floors, Freshness};
use tower_zookie::revision::{Counter, Revision, StoreId, TransactionId};
use tower_zookie_testing::model::paused;

const QUESTIONS: usize = 2;

#[derive(Clone, Debug)]
enum Op {
    Begin,
    Commit { which: Index, announced: bool },
    Check(Check),
    Pass { millis: u64 },
}

#[derive(Clone, Debug)]
struct Check {
    question: usize,
    consistency: ConsistencyLevel,
    /// The transactions whose tokens the caller has. The token of an open transaction is a guess.
    tokens: Vec<Index>,
    upstream: Upstream,
}

#[derive(Clone, Copy, Debug)]
enum ConsistencyLevel {
    AtLeast,
    Exact,
    Full,
}

#[derive(Clone, Copy, Debug)]
struct Upstream {
    /// Which of the committed transactions the store chooses by itself.
    optimized: Index,
    before_choosing: u64,
    before_reading: u64,
    after_reading: u64,
}

/// An answer: one bit for each transaction that it includes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held(u64);

impl Weigh for Held {
    fn heap_bytes(&self) -> usize {
        0
    }
}

impl Held {
    fn holds(self, id: u64) -> bool {
        self.0 >> id & 1 == 1
    }
}

/// Whether each transaction is committed, by its number. The first one always is committed.
#[derive(Debug)]
struct Store(Vec<bool>);

impl Store {
    fn numbers(&self, committed: bool) -> Vec<u64> {
        (0..)
            .zip(&self.0)
            .filter(|(_, is)| **is == committed)
            .map(|(id, _)| id)
            .collect()
    }

    fn head(&self) -> u64 {
        self.numbers(true).last().copied().unwrap_or_default()
    }

    fn begun(&self, which: &Index) -> u64 {
        which.index(self.0.len()) as u64
    }

    fn committed(&self, which: &Index) -> u64 {
        *which.get(&self.numbers(true))
    }

    fn choose(&self, ask: &ReadAt, optimized: u64) -> u64 {
        match (ask, ask.revision().map(number)) {
            (ReadAt::Head, _) => self.head(),
            (ReadAt::Exact(_), Some(asked)) => asked,
            (_, asked) => asked.map_or(optimized, |asked| asked.max(optimized)),
        }
    }

    fn read_at(&self, id: u64) -> Held {
        let seen = self.numbers(true).into_iter().filter(|committed| *committed <= id);
        Held(seen.fold(0, |bits, id| bits | 1 << id))
    }
}

/// The kind of revision that the tokens are taken for.
type Kind = fn(u64) -> Revision;

fn transaction(id: u64) -> Revision {
    Revision::new(StoreId::new(["model"]), TransactionId(id))
}

fn counter(id: u64) -> Revision {
    Revision::new(StoreId::new(["model"]), Counter(id))
}

fn number(revision: &Revision) -> u64 {
    let counter = revision.point::<Counter>().map(|counter| counter.0);
    counter
        .or_else(|| revision.point::<TransactionId>().map(|id| id.0))
        .unwrap()
}

type Reply = Result<Checked<Held>, CheckError<Infallible>>;

/// A request, and what was committed when it was made.
struct Asked {
    consistency: ConsistencyLevel,
    tokens: Vec<u64>,
    committed: Held,
    reply: JoinHandle<Reply>,
}

struct World {
    kind: Kind,
    store: Arc<Mutex<Store>>,
    cache: DecisionCache<Held>,
    questions: Vec<Fingerprint>,
}

impl World {
    fn new(kind: Kind) -> Self {
        let capabilities = Capabilities::unknown();
        let keyer = Keyer::random();
        Self {
            kind,
            store: Arc::new(Mutex::new(Store(vec![true]))),
            cache: DecisionCache::new(Settings::default(), capabilities).unwrap(),
            questions: (0..QUESTIONS)
                .map(|n| keyer.question(&n.to_string()).finish())
                .collect(),
        }
    }

    fn begin(&self) {
        self.store.lock().unwrap().0.push(false);
    }

    fn commit(&self, id: u64, announced: bool) {
        self.store.lock().unwrap().0[usize::try_from(id).unwrap()] = true;
        if announced {
            self.cache.wrote(&(self.kind)(id));
        }
    }

    fn check(&self, op: &Check) -> Asked {
        let (tokens, committed) = {
            let store = self.store.lock().unwrap();
            let tokens: Vec<u64> = op.tokens.iter().map(|which| store.begun(which)).collect();
            (tokens, store.read_at(u64::MAX))
        };
        let floors: Floors = tokens.iter().map(|id| Floor::now((self.kind)(*id))).collect();
        let freshness = match (op.consistency, tokens.first()) {
            (ConsistencyLevel::Exact, Some(id)) => Freshness::Exact((self.kind)(*id)),
            (ConsistencyLevel::Full, _) => Freshness::Full,
            _ => Freshness::at_least(floors),
        };
        let (cache, question) = (self.cache.clone(), self.questions[op.question]);
        let (store, kind, upstream) = (self.store.clone(), self.kind, op.upstream);
        let ask = move |ask| upstream.answer(store.clone(), kind, ask);
        Asked {
            consistency: op.consistency,
            tokens,
            committed,
            reply: tokio::spawn(async move { cache.check(question, &freshness, ask).await }),
        }
    }

    async fn ask_at_least(&self, id: u64) -> Checked<Held> {
        let freshness = Freshness::at_least((self.kind)(id));
        let (store, kind) = (self.store.clone(), self.kind);
        let upstream = move |ask| {
            let store = store.lock().unwrap();
            let chosen = store.choose(&ask, 0);
            ready(Ok::<_, Infallible>(Answer::at(store.read_at(chosen), kind(chosen))))
        };
        self.cache.check(self.questions[0], &freshness, upstream).await.unwrap()
    }

    async fn run(&self, ops: &[Op]) -> Result<(), TestCaseError> {
        let mut under_way = Vec::new();
        for op in ops {
            match op {
                Op::Begin => self.begin(),
                Op::Commit { which, announced } => {
                    let open = self.store.lock().unwrap().numbers(false);
                    if !open.is_empty() {
                        self.commit(*which.get(&open), *announced);
                    }
                }
                Op::Check(check) => under_way.push(self.check(check)),
                Op::Pass { millis } => sleep(Duration::from_millis(*millis)).await,
            }
            // No two operations at one instant, so it is clear which came first.
            sleep(Duration::from_millis(1)).await;
        }
        for asked in under_way {
            asked.judge().await?;
        }
        Ok(())
    }
}

impl Upstream {
    async fn answer(self, store: Arc<Mutex<Store>>, kind: Kind, ask: ReadAt) -> Result<Answer<Held>, Infallible> {
        sleep(Duration::from_millis(self.before_choosing)).await;
        let chosen = {
            let store = store.lock().unwrap();
            store.choose(&ask, store.committed(&self.optimized))
        };
        sleep(Duration::from_millis(self.before_reading)).await;
        let held = store.lock().unwrap().read_at(chosen);
        sleep(Duration::from_millis(self.after_reading)).await;
        Ok(Answer::at(held, kind(chosen)))
    }
}

impl Asked {
    async fn judge(self) -> Result<(), TestCaseError> {
        let checked = match self.reply.await {
            Ok(Ok(checked)) => checked,
            // A transaction that has a number but is not committed has no token yet.
            Ok(Err(CheckError::Behind(_))) if self.tokens.iter().any(|id| !self.committed.holds(*id)) => return Ok(()),
            _ => return Err(TestCaseError::fail("no answer")),
        };
        // What was committed when the request arrived and is not above its floor: the caller may have seen that.
        let floor = match (self.consistency, &*self.tokens) {
            (ConsistencyLevel::Exact, [first, ..]) => Some(*first),
            (ConsistencyLevel::Full, _) => None,
            (_, tokens) => tokens.iter().copied().max(),
        };
        if let Some(floor) = floor {
            for id in (0..=floor).filter(|id| self.committed.holds(*id)) {
                prop_assert!(
                    checked.value.holds(id),
                    "{:?} of {:?} lacks {}: {:?}",
                    self.consistency,
                    self.tokens,
                    id,
                    checked
                );
            }
            let label = checked.revision.as_ref().map(number);
            prop_assert!(
                label.is_none_or(|label| label >= floor),
                "{:?} below {}",
                checked,
                floor
            );
        }
        if let ConsistencyLevel::Full = self.consistency {
            prop_assert_eq!(
                self.committed.0 & !checked.value.0,
                0,
                "{:?} lacks some of {:?}",
                checked,
                self.committed
            );
        }
        Ok(())
    }
}

fn delay() -> impl Strategy<Value = u64> {
    prop_oneof![3 => Just(0), 1 => 1u64..50, 1 => 100u64..1500]
}

prop_compose! {
    fn any_check()(
        question in 0..QUESTIONS,
        consistency in prop_oneof![8 => Just(ConsistencyLevel::AtLeast), 1 => Just(ConsistencyLevel::Exact), 1 => Just(ConsistencyLevel::Full)],
        tokens in prop::collection::vec(any::<Index>(), 0..3),
        optimized: Index,
        (before_choosing, before_reading, after_reading) in (delay(), delay(), delay()),
    ) -> Check {
        Check { question, consistency, tokens, upstream: Upstream { optimized, before_choosing, before_reading, after_reading } }
    }
}

/// At most 60 of them, so that a bit is enough for each transaction.
fn any_ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        2 => Just(Op::Begin),
        2 => (any::<Index>(), any::<bool>()).prop_map(|(which, announced)| Op::Commit { which, announced }),
        5 => any_check().prop_map(Op::Check),
        1 => prop_oneof![1u64..200, 200u64..3000].prop_map(|millis| Op::Pass { millis }),
    ];
    prop::collection::vec(op, 1..60)
}

fn run(kind: Kind, ops: &[Op]) -> Result<(), TestCaseError> {
    paused(World::new(kind).run(ops))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rule_01_every_answer_includes_its_callers_writes(ops in any_ops()) {
        run(transaction, &ops)?;
    }
}

#[test]
fn the_model_rejects_a_plain_counter() {
    let mut runner = TestRunner::deterministic();
    assert!(runner.run(&any_ops(), |ops| run(counter, &ops)).is_err());
}

/// What callers with the token of 2, and then of `floor`, get if 1 commits after the first of them was answered.
async fn late_commit(kind: Kind, floor: u64) -> [Checked<Held>; 2] {
    let world = World::new(kind);
    world.begin();
    world.begin();
    world.commit(2, true);
    let first = world.ask_at_least(2).await;
    sleep(Duration::from_millis(1)).await;
    world.commit(1, true);
    [first, world.ask_at_least(floor).await]
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_lower_number_that_commits_late_is_not_missed() {
    // Its own token, and the token of a reply that included it.
    for floor in [1, 2] {
        let [first, second] = late_commit(transaction, floor).await;
        assert!(first.stored && first.value.holds(2) && !first.value.holds(1));
        assert!(!second.is_hit() && second.value.holds(1));

        let [_, second] = late_commit(counter, floor).await;
        assert!(
            second.is_hit() && !second.value.holds(1),
            "a plain counter would serve what lacks it"
        );
    }
}
