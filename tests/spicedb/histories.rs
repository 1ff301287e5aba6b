//! Whole histories: random writes, reads and attacks by callers of two replicas, and a judge that knows the store.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use proptest::prelude::*;
use tokio::task::JoinHandle;
use tokio::time::{Instant, advance, timeout};
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie_testing::model::{Tally, each};
use tower_zookie_testing::spicedb::Client;
use tower_zookie_testing::spicedb::messages::{Consistency, at_least, exactly, full, minimize_latency};

use crate::adversary::{Attack, assert_complete, attack};
use crate::call::Call;
use crate::judge::{Demanded, Exchange, Judge};
use crate::server::Server;

const DOCUMENTS: [&str; 2] = ["plan", "map"];
const USERS: [&str; 2] = ["ada", "bob"];

#[derive(Clone, Debug)]
enum Step {
    Write {
        through: usize,
        what: (usize, usize),
        views: bool,
    },
    /// A transaction that stays open.
    Begin {
        what: (usize, usize),
        views: bool,
    },
    /// Or is rolled back.
    End {
        which: prop::sample::Index,
        commit: bool,
    },
    /// A node's quantized revision becomes the head, or that of the n-th last transaction.
    Quantize {
        node: usize,
        nth_last: Option<usize>,
    },
    /// Which node answers from now on.
    Node(usize),
    ShareHead,
    /// How long calls take, and writes stay open.
    Takes {
        before: u64,
        after: u64,
        write: u64,
    },
    Wait(u64),
    Read(Read),
    Attack(Attack),
}

#[derive(Clone, Debug)]
struct Read {
    through: usize,
    what: (usize, usize),
    consistency: ConsistencyLevel,
    /// The same consistency, in the metadata instead of in the message.
    carried: bool,
    /// A second token, in a cookie.
    cookie: Option<usize>,
    /// The same question about the other document too.
    bulk: bool,
}

#[derive(Clone, Copy, Debug)]
enum ConsistencyLevel {
    None,
    MinimizeLatency,
    /// With the n-th last token that was issued.
    AtLeast(usize),
    Exactly(usize),
    Full,
    Within(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let what = || (0..DOCUMENTS.len(), 0..USERS.len());
    let consistency = prop_oneof![
        3 => Just(ConsistencyLevel::None),
        1 => Just(ConsistencyLevel::MinimizeLatency),
        6 => (0..6_usize).prop_map(ConsistencyLevel::AtLeast),
        2 => (0..6_usize).prop_map(ConsistencyLevel::Exactly),
        1 => Just(ConsistencyLevel::Full),
        1 => (1..4_u64).prop_map(ConsistencyLevel::Within),
    ];
    let cookie = prop_oneof![4 => Just(None), 1 => (0..6_usize).prop_map(Some)];
    // The third one writes around all layers.
    let write = (0..3_usize, what(), any::<bool>());
    let read = (
        0..2_usize,
        what(),
        consistency,
        any::<bool>(),
        (cookie, prop::bool::weighted(0.2)),
    );
    let nth_last = prop_oneof![2 => Just(None), 1 => (0..3_usize).prop_map(Some)];
    let millis = || prop_oneof![3 => Just(0), 1 => 1..30_u64];
    prop_oneof![
        4 => write.prop_map(|(through, what, views)| Step::Write { through, what, views }),
        1 => (what(), any::<bool>()).prop_map(|(what, views)| Step::Begin { what, views }),
        1 => (any::<prop::sample::Index>(), prop::bool::weighted(0.8)).prop_map(|(which, commit)| Step::End { which, commit }),
        2 => (0..2_usize, nth_last).prop_map(|(node, nth_last)| Step::Quantize { node, nth_last }),
        1 => (0..2_usize).prop_map(Step::Node),
        1 => Just(Step::ShareHead),
        1 => (millis(), millis(), millis()).prop_map(|(before, after, write)| Step::Takes { before, after, write }),
        3 => prop_oneof![1..200_u64, 200..7000_u64].prop_map(Step::Wait),
        14 => read.prop_map(|(through, what, consistency, carried, (cookie, bulk))| Step::Read(Read { through, what, consistency, carried, cookie, bulk })),
        5 => attack(DOCUMENTS.len(), USERS.len()).prop_map(Step::Attack),
    ]
}

/// What the replicas are: layers, or the store itself, to test the judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Through {
    Layers,
    Nothing,
}

struct World<'a> {
    engine: Engine,
    server: Server,
    through: Through,
    replicas: [Client; 2],
    /// What honest callers have.
    tokens: Vec<String>,
    /// What the adversary has.
    seen: Vec<String>,
    exchanges: Vec<JoinHandle<Exchange>>,
    /// How often it hung up before the answer.
    left: Arc<AtomicUsize>,
    tally: &'a Tally,
}

impl<'a> World<'a> {
    fn new(engine: Engine, through: Through, tally: &'a Tally) -> Self {
        let server = Server::new(engine);
        server.state().says_all = true;
        let first = server.state().defaults[0].2.clone();
        let tokens = vec![server.token_at(&first)];
        Self {
            engine,
            through,
            replicas: [Client::new(&server, engine), Client::new(&server, engine)],
            seen: tokens.clone(),
            tokens,
            exchanges: Vec::new(),
            left: Arc::default(),
            server,
            tally,
        }
    }

    fn token(&self, nth_last: usize) -> &str {
        &self.tokens[self.tokens.len().saturating_sub(nth_last + 1)]
    }

    fn learn(&mut self, token: String) {
        self.seen.push(token.clone());
        self.tokens.push(token);
    }

    async fn take(&mut self, step: &Step) -> Result<(), TestCaseError> {
        let numbers_at_begin = matches!(self.engine, Engine::Postgres | Engine::MySql);
        match step {
            Step::Write { through, what, views } => {
                let (document, user) = (DOCUMENTS[what.0], USERS[what.1]);
                let change = [(document.to_owned(), user.to_owned(), *views)];
                if !self.server.state().store.is_free(&change) {
                    return Ok(());
                }
                let token = match self.replicas.get(*through) {
                    Some(replica) if self.through == Through::Layers => replica.set(document, user, *views).await,
                    _ => self.server.set(document, user, *views),
                };
                self.learn(token);
            }
            Step::Begin { what, views } if numbers_at_begin => {
                let (document, user) = (DOCUMENTS[what.0], USERS[what.1]);
                let change = [(document.to_owned(), user.to_owned(), *views)];
                if self.server.state().store.is_free(&change) {
                    self.server.begin(document, user, *views);
                }
            }
            Step::End { which, commit } => {
                let open = self.server.state().store.open();
                if !open.is_empty() {
                    let id = *which.get(&open);
                    if *commit {
                        let token = self.server.commit(id);
                        self.learn(token);
                    } else {
                        self.server.roll_back(id);
                    }
                }
            }
            Step::Quantize { node, nth_last } => {
                let newest = self.server.state().store.newest_default();
                let of_transaction = nth_last.and_then(|nth| self.server.state().store.of_transaction(nth));
                self.server.quantize_at(*node, of_transaction.unwrap_or(newest));
            }
            Step::Node(node) => self.server.state().node = *node,
            Step::ShareHead => self.server.share_head(1),
            Step::Takes { before, after, write } => {
                let mut state = self.server.state();
                state.before = Duration::from_millis(*before);
                state.latency = Duration::from_millis(*after);
                state.write_takes = Duration::from_millis(*write);
            }
            Step::Wait(millis) => advance(Duration::from_millis(*millis)).await,
            Step::Read(read) => self.read(read),
            Step::Attack(attack) if self.through == Through::Layers => self.attack(attack),
            Step::Begin { .. } | Step::Attack(_) => {}
        }
        Ok(())
    }

    /// A request that is on its way from now on.
    fn read(&mut self, read: &Read) {
        let (document, user) = (DOCUMENTS[read.what.0], USERS[read.what.1]);
        let mut client = self.replicas[read.through].clone();
        let layers = self.through == Through::Layers;
        let (consistency, mut demanded) = self.spell(read.consistency);
        if let (ConsistencyLevel::Within(seconds), true) = (read.consistency, layers) {
            client = client.metadata("zookie-consistency", &format!("bounded-staleness={seconds}s"));
        }
        if let (Some(nth), Demanded::AtLeast(floors) | Demanded::Within(_, floors), true) =
            (read.cookie, &mut demanded, layers)
        {
            let token = self.tokens[self.tokens.len().saturating_sub(nth + 1)].clone();
            client = client.cookie(&token);
            floors.push(token);
        }
        let mut questions = vec![(document.to_owned(), user.to_owned())];
        if read.bulk {
            questions.push((DOCUMENTS[1 - read.what.0].to_owned(), user.to_owned()));
        }
        self.tally.add("honest");
        let arrived = Instant::now();
        let (server, carried, is_bulk) = (self.server.clone(), read.carried && layers, read.bulk);
        self.exchanges.push(tokio::spawn(async move {
            let call = Call::new(&questions, is_bulk, consistency);
            let reply = match layers {
                true => call.send(client, carried).await,
                false => call.send_directly(server).await,
            };
            Exchange {
                questions,
                is_bulk,
                demanded,
                arrived,
                answered: Instant::now(),
                reply,
            }
        }));
    }

    fn spell(&self, consistency: ConsistencyLevel) -> (Option<Consistency>, Demanded) {
        let token = |nth| self.token(nth).to_owned();
        match consistency {
            ConsistencyLevel::None => (None, Demanded::AtLeast(Vec::new())),
            ConsistencyLevel::MinimizeLatency => (minimize_latency(), Demanded::AtLeast(Vec::new())),
            ConsistencyLevel::AtLeast(nth) => (at_least(&token(nth)), Demanded::AtLeast(vec![token(nth)])),
            ConsistencyLevel::Exactly(nth) => (exactly(&token(nth)), Demanded::Exactly(token(nth))),
            ConsistencyLevel::Full => (full(), Demanded::Full),
            ConsistencyLevel::Within(_) if self.through == Through::Nothing => (None, Demanded::AtLeast(Vec::new())),
            ConsistencyLevel::Within(seconds) => (None, Demanded::Within(Duration::from_secs(seconds), Vec::new())),
        }
    }

    fn attack(&mut self, attack: &Attack) {
        attack.count(self.tally);
        self.tally.add("attack");
        let token = attack.forge(&self.seen, self.engine);
        self.seen.push(token.clone());
        let client = self.replicas[attack.through].clone();
        let (document, user) = (DOCUMENTS[attack.what.0], USERS[attack.what.1]);
        let sent = attack.send(client, token, document, user);
        let left = self.left.clone();
        let gives_up_after = attack.leaves.map_or(Duration::MAX, Duration::from_millis);
        drop(tokio::spawn(async move {
            if timeout(gives_up_after, sent).await.is_err() {
                left.fetch_add(1, Relaxed);
            }
        }));
    }

    /// Judges all that has been answered, or waits for it too.
    async fn judge(&mut self, wait: bool) -> Result<(), TestCaseError> {
        for exchange in std::mem::take(&mut self.exchanges) {
            if !wait && !exchange.is_finished() {
                self.exchanges.push(exchange);
                continue;
            }
            let exchange = exchange.await.map_err(|error| TestCaseError::fail(error.to_string()))?;
            let judge = Judge {
                server: &self.server,
                engine: self.engine,
            };
            judge.judge(&exchange)?;
            self.tally
                .add(if exchange.reply.is_from_cache() { "hit" } else { "miss" });
            if let (Some(token), Demanded::AtLeast(_) | Demanded::Full) = (exchange.token(), &exchange.demanded) {
                self.learn(token);
            }
        }
        Ok(())
    }
}

fn play(engine: Engine, through: Through, cases: u32) -> Tally {
    let tally = Tally::default();
    let name = format!("{engine:?}, through {through:?}");
    each(&name, cases, &prop::collection::vec(step(), 1..100), async |steps| {
        let mut world = World::new(engine, through, &tally);
        for step in &steps {
            world.take(step).await?;
            // No two steps at one instant.
            advance(Duration::from_millis(1)).await;
            world.judge(false).await?;
        }
        world.judge(true).await?;
        for _ in 0..world.left.load(Relaxed) {
            tally.add("Left");
        }
        Ok(())
    });
    tally
}

const ENGINES: [Engine; 4] = [Engine::Postgres, Engine::CockroachDb, Engine::MySql, Engine::Memory];

fn rules_hold_whatever_an_adversary_sends(engine: Engine) {
    let tally = play(engine, Through::Layers, 160);
    assert_complete(&tally);
    assert!(tally.count("hit") > 100, "only {} hits", tally.count("hit"));
    let (attacks, honest) = (tally.count("attack"), tally.count("honest"));
    assert!(attacks * 9 > honest, "{attacks} attacks and {honest} honest requests");
}

#[test]
fn rules_01_to_08_hold_in_every_history_on_postgres() {
    rules_hold_whatever_an_adversary_sends(Engine::Postgres);
}

#[test]
fn rules_01_to_08_hold_in_every_history_on_cockroachdb() {
    rules_hold_whatever_an_adversary_sends(Engine::CockroachDb);
}

#[test]
fn rules_01_to_08_hold_in_every_history_on_mysql() {
    rules_hold_whatever_an_adversary_sends(Engine::MySql);
}

#[test]
fn rules_01_to_08_hold_in_every_history_on_memory() {
    rules_hold_whatever_an_adversary_sends(Engine::Memory);
}

#[test]
fn the_judge_accepts_the_store_itself() {
    for engine in ENGINES {
        let tally = play(engine, Through::Nothing, 100);
        assert!(tally.count("miss") > 300);
    }
}
