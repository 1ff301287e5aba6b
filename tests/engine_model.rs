//! Random writes, reads and delays over a tiny versioned store. Every reply is judged by itself: the value must be the
//! store's at some revision that the request allows, and at exactly the revision that the reply names.

use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tower_zookie::cache::{
    Answer, Capabilities, CheckError, Checked, DecisionCache, Fingerprint, Keyer, ReadAt, Settings,
};
use tower_zookie::consistency::{Freshness, Staleness};
use tower_zookie::revision::{Counter, Revision, StoreId};
use tower_zookie_testing::model::paused;

const QUESTIONS: usize = 2;
const SESSIONS: usize = 2;
const WINDOW: Duration = Duration::from_millis(2000);
/// The store rounds reads without a revision down to this.
const QUANTUM: u64 = 700;
const FORGED: u64 = 1_000_000;

fn settings() -> Settings {
    Settings::default()
        .window(WINDOW, Staleness::percent(10))
        .time_to_live(Duration::from_secs(4))
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Write { question: usize, announced: bool },
    Check(Check),
    Pass { millis: u64 },
}

#[derive(Clone, Copy, Debug)]
struct Check {
    question: usize,
    consistency: ConsistencyLevel,
    token: Token,
    session: usize,
    upstream: Delays,
    leaves: bool,
}

#[derive(Clone, Copy, Debug)]
enum ConsistencyLevel {
    MinimizeLatency,
    AtLeast,
    Exact,
    Full,
    Bounded { millis: u64 },
}

#[derive(Clone, Copy, Debug)]
enum Token {
    /// What this session saw last.
    Session,
    /// Some revision that the store has passed.
    Old(prop::sample::Index),
    /// The store's head, which the cache may not know.
    Head,
    /// A revision that the store has not reached.
    Forged,
}

#[derive(Clone, Copy, Debug)]
struct Delays {
    before_reading: u64,
    after_reading: u64,
    /// Reads the latest revision that it may read, and answers at a forged revision as if it had reached it.
    eager: bool,
}

/// The store: when each revision was committed, and the answers from then on.
#[derive(Debug)]
struct Store {
    began: Instant,
    revisions: Vec<(u64, [bool; QUESTIONS])>,
}

impl Store {
    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap()
    }

    fn head_at(&self, millis: u64) -> u64 {
        self.revisions.iter().rposition(|(at, _)| *at <= millis).unwrap() as u64
    }

    fn head(&self) -> u64 {
        self.revisions.len() as u64 - 1
    }

    fn rounded_at(&self, millis: u64) -> u64 {
        self.head_at(millis / QUANTUM * QUANTUM)
    }

    fn value(&self, question: usize, revision: u64) -> bool {
        self.revisions[usize::try_from(revision).unwrap()].1[question]
    }

    fn write(&mut self, question: usize) -> u64 {
        let mut answers = self.revisions.last().unwrap().1;
        answers[question] ^= true;
        self.revisions.push((self.now(), answers));
        self.head()
    }

    /// The revision of a read that began at `began` and reads now.
    fn read(&self, ask: &ReadAt, began: u64, eager: bool) -> Option<u64> {
        let rounded = self.rounded_at(if eager { self.now() } else { began });
        let asked = ask.revision().map(number);
        if asked.is_some_and(|asked| asked > self.head()) {
            return None;
        }
        Some(match (ask, asked) {
            (ReadAt::Head, _) => self.head(),
            (ReadAt::Exact(_), Some(asked)) => asked,
            (_, asked) => rounded.max(asked.unwrap_or(0)),
        })
    }
}

fn revision(n: u64) -> Revision {
    Revision::new(StoreId::new(["model"]), Counter(n))
}

fn number(revision: &Revision) -> u64 {
    revision.point::<Counter>().unwrap().0
}

#[derive(Debug, thiserror::Error)]
#[error("the store has not reached the revision")]
struct NotReached;

type Reply = Result<Checked<bool>, CheckError<NotReached>>;

/// A request, and the state of the store when it was made.
struct Asked {
    op: Check,
    token: Option<u64>,
    arrived: u64,
    reply: JoinHandle<(Reply, u64)>,
}

struct World {
    store: Arc<Mutex<Store>>,
    cache: DecisionCache<bool>,
    questions: Vec<Fingerprint>,
    sessions: Arc<Mutex<[u64; SESSIONS]>>,
}

impl World {
    fn new() -> Self {
        let settings = settings();
        let capabilities = Capabilities::versioned();
        let keyer = Keyer::random();
        Self {
            store: Arc::new(Mutex::new(Store {
                began: Instant::now(),
                revisions: vec![(0, [false; QUESTIONS])],
            })),
            cache: DecisionCache::new(settings, capabilities).unwrap(),
            questions: (0..QUESTIONS)
                .map(|n| keyer.question(&n.to_string()).finish())
                .collect(),
            sessions: Arc::default(),
        }
    }

    fn check(&self, op: Check) -> Asked {
        let (head, arrived) = {
            let store = self.store.lock().unwrap();
            (store.head(), store.now())
        };
        let token = match op.token {
            Token::Session => self.sessions.lock().unwrap()[op.session],
            Token::Old(index) => index.index(usize::try_from(head).unwrap() + 1) as u64,
            Token::Head => head,
            Token::Forged => FORGED,
        };
        let floor = Freshness::at_least(revision(token));
        let (freshness, token) = match op.consistency {
            ConsistencyLevel::MinimizeLatency => (Freshness::any(), None),
            ConsistencyLevel::AtLeast => (floor, Some(token)),
            ConsistencyLevel::Exact => (Freshness::Exact(revision(token)), Some(token)),
            ConsistencyLevel::Full => (Freshness::Full, None),
            ConsistencyLevel::Bounded { millis } => (floor.head_within(Duration::from_millis(millis)), Some(token)),
        };
        let (store, sessions, cache) = (self.store.clone(), self.sessions.clone(), self.cache.clone());
        let question = self.questions[op.question];
        let reply = tokio::spawn(async move {
            let upstream = {
                let store = store.clone();
                move |ask| upstream(store.clone(), op, ask)
            };
            let reply = cache.check(question, &freshness, upstream).await;
            if let Ok(checked) = &reply
                && let Some(revision) = &checked.revision
                && !matches!(op.consistency, ConsistencyLevel::Exact)
            {
                let mut sessions = sessions.lock().unwrap();
                sessions[op.session] = sessions[op.session].max(number(revision));
            }
            let head = store.lock().unwrap().head();
            (reply, head)
        });
        Asked {
            op,
            token,
            arrived,
            reply,
        }
    }

    /// The revisions at which the answer to this request may have been read.
    fn allowed(&self, asked: &Asked, head_at_reply: u64) -> RangeInclusive<u64> {
        let store = self.store.lock().unwrap();
        let ago = |duration: Duration| {
            asked
                .arrived
                .saturating_sub(u64::try_from(duration.as_millis()).unwrap())
        };
        let young_enough = store.rounded_at(ago(settings().age_bound()));
        let lowest = match asked.op.consistency {
            ConsistencyLevel::Exact => return asked.token.unwrap()..=asked.token.unwrap(),
            ConsistencyLevel::Full => store.head_at(asked.arrived),
            ConsistencyLevel::Bounded { millis } => store.head_at(ago(Duration::from_millis(millis))),
            ConsistencyLevel::MinimizeLatency | ConsistencyLevel::AtLeast => 0,
        };
        lowest.max(young_enough).max(asked.token.unwrap_or(0))..=head_at_reply
    }

    async fn judge(&self, mut asked: Asked) -> Result<(), TestCaseError> {
        let (reply, head) = match (&mut asked.reply).await {
            Ok(reply) => reply,
            Err(left) if asked.op.leaves && left.is_cancelled() => return Ok(()),
            Err(panic) => return Err(TestCaseError::fail(format!("{:?}: {panic}", asked.op))),
        };
        let context = format!(
            "{:?} with token {:?} at {} ms got {reply:?}",
            asked.op, asked.token, asked.arrived
        );
        let forged = asked.token == Some(FORGED);
        let checked = match reply {
            Ok(checked) => checked,
            Err(CheckError::Upstream(NotReached) | CheckError::Behind(_)) if forged => return Ok(()),
            Err(_) => return Err(TestCaseError::fail(format!("no answer: {context}"))),
        };
        if forged {
            prop_assert!(checked.revision.is_none(), "a forged label: {}", context);
            prop_assert!(
                !checked.stored && !checked.coalesced && !checked.is_hit(),
                "shared: {}",
                context
            );
            return Ok(());
        }
        let allowed = self.allowed(&asked, head);
        let store = self.store.lock().unwrap();
        let holds_at = |revision| store.value(asked.op.question, revision) == checked.value;
        match checked.revision.as_ref().map(number) {
            Some(revision) => {
                prop_assert!(allowed.contains(&revision), "{} outside of {:?}", context, allowed);
                prop_assert!(holds_at(revision), "wrong at the revision that it names: {}", context);
            }
            None => prop_assert!(
                allowed.clone().any(holds_at),
                "at no revision in {:?}: {}",
                allowed,
                context
            ),
        }
        Ok(())
    }

    async fn run(&self, ops: &[Op]) -> Result<(), TestCaseError> {
        let mut under_way = Vec::new();
        for op in ops {
            match *op {
                Op::Write { question, announced } => {
                    let written = self.store.lock().unwrap().write(question);
                    if announced {
                        self.cache.wrote(&revision(written));
                    }
                }
                Op::Check(check) => under_way.push(self.check(check)),
                Op::Pass { millis } => sleep(Duration::from_millis(millis)).await,
            }
            // No two operations at one instant, so it is clear which came first.
            sleep(Duration::from_millis(1)).await;
            for asked in under_way.iter().filter(|asked| asked.op.leaves) {
                asked.reply.abort();
            }
        }
        for asked in under_way {
            self.judge(asked).await?;
        }
        Ok(())
    }
}

async fn upstream(store: Arc<Mutex<Store>>, op: Check, ask: ReadAt) -> Result<Answer<bool>, NotReached> {
    let began = store.lock().unwrap().now();
    sleep(Duration::from_millis(op.upstream.before_reading)).await;
    let answer = {
        let store = store.lock().unwrap();
        match (store.read(&ask, began, op.upstream.eager), ask.revision()) {
            (Some(read), _) => Ok(Answer::at(store.value(op.question, read), revision(read))),
            (None, Some(asked)) if op.upstream.eager => {
                Ok(Answer::at(store.value(op.question, store.head()), asked.clone()))
            }
            (None, _) => Err(NotReached),
        }
    };
    sleep(Duration::from_millis(op.upstream.after_reading)).await;
    answer
}

fn delay() -> impl Strategy<Value = u64> {
    prop_oneof![3 => Just(0), 1 => 1u64..50, 1 => 100u64..2500]
}

prop_compose! {
    fn any_check()(
        question in 0..QUESTIONS,
        consistency in prop_oneof![
            3 => Just(ConsistencyLevel::MinimizeLatency),
            4 => Just(ConsistencyLevel::AtLeast),
            2 => Just(ConsistencyLevel::Exact),
            1 => Just(ConsistencyLevel::Full),
            2 => (1u64..3000).prop_map(|millis| ConsistencyLevel::Bounded { millis }),
        ],
        token in prop_oneof![
            4 => Just(Token::Session),
            2 => any::<prop::sample::Index>().prop_map(Token::Old),
            2 => Just(Token::Head),
            1 => Just(Token::Forged),
        ],
        session in 0..SESSIONS,
        (before_reading, after_reading, eager) in (delay(), delay(), any::<bool>()),
        leaves in prop::bool::weighted(0.1),
    ) -> Check {
        Check { question, consistency, token, session, upstream: Delays { before_reading, after_reading, eager }, leaves }
    }
}

fn any_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        2 => (0..QUESTIONS, any::<bool>()).prop_map(|(question, announced)| Op::Write { question, announced }),
        6 => any_check().prop_map(Op::Check),
        2 => prop_oneof![1u64..200, 200u64..3000].prop_map(|millis| Op::Pass { millis }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rules_01_to_08_the_store_could_have_given_every_reply(
        ops in prop::collection::vec(any_op(), 1..60),
    ) {
        paused(async { World::new().run(&ops).await })?;
    }
}
