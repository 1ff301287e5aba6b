//! Whole histories: random writes, reads and forgeries by callers of two replicas, and a judge who knows the store.

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tokio::time::{Instant, advance};
use tower_zookie::protocol::spicedb::Engine;

use crate::api::{CheckRequest, Consistency, at_least, check, exactly, full, minimize_latency};
use crate::client::{Client, Reply};
use crate::server::{OK, OUT_OF_RANGE, Server};

const DOCUMENTS: [&str; 2] = ["plan", "map"];
const USERS: [&str; 2] = ["ada", "bob"];
/// What no answer of a layer with default settings outlives.
const BOUND: Duration = Duration::from_millis(5500);

#[derive(Clone, Debug)]
enum Step {
    Write {
        through: usize,
        what: (usize, usize),
        views: bool,
    },
    /// The server's quantized revision catches up with its head.
    Quantize,
    Wait(u64),
    Read {
        through: usize,
        what: (usize, usize),
        wish: Wish,
        /// The same wish, in the metadata instead of in the message.
        carried: bool,
    },
    Forge {
        through: usize,
        what: (usize, usize),
        ahead: u64,
        exact: bool,
        carried: bool,
    },
}

#[derive(Clone, Copy, Debug)]
enum Wish {
    None,
    MinimizeLatency,
    /// With the n-th last token that was given out.
    AtLeast(usize),
    Exactly(usize),
    Full,
}

fn step() -> impl Strategy<Value = Step> {
    let what = || (0..DOCUMENTS.len(), 0..USERS.len());
    let wish = prop_oneof![
        2 => Just(Wish::None),
        1 => Just(Wish::MinimizeLatency),
        5 => (0..5_usize).prop_map(Wish::AtLeast),
        2 => (0..5_usize).prop_map(Wish::Exactly),
        1 => Just(Wish::Full),
    ];
    // The third writes past all layers.
    let write = (0..3_usize, what(), any::<bool>());
    let read = (0..2_usize, what(), wish, any::<bool>());
    let forge = (0..2_usize, what(), 1..40_u64, any::<bool>(), any::<bool>());
    prop_oneof![
        4 => write.prop_map(|(through, what, views)| Step::Write { through, what, views }),
        2 => Just(Step::Quantize),
        3 => prop_oneof![1..200_u64, 200..7000_u64].prop_map(Step::Wait),
        12 => read.prop_map(|(through, what, wish, carried)| Step::Read { through, what, wish, carried }),
        3 => forge.prop_map(|(through, what, ahead, exact, carried)| Step::Forge { through, what, ahead, exact, carried }),
    ]
}

struct World {
    server: Server,
    replicas: [Client; 2],
    tokens: Vec<String>,
    /// Since when the server has answered who names no revision at this one.
    optimized: Vec<(Instant, u64)>,
    hits: usize,
}

impl World {
    fn new(engine: Engine) -> Self {
        let server = Server::new(engine);
        Self {
            replicas: [Client::new(&server, engine), Client::new(&server, engine)],
            tokens: vec![server.token(1000)],
            optimized: vec![(Instant::now(), 1000)],
            hits: 0,
            server,
        }
    }

    fn token(&self, nth_last: usize) -> &str {
        &self.tokens[self.tokens.len().saturating_sub(nth_last + 1)]
    }

    /// The lowest revision that an answer of the greatest age can hold at.
    fn oldest(&self) -> u64 {
        let then = Instant::now().checked_sub(BOUND).unwrap_or(self.optimized[0].0);
        let (_, revision) = self
            .optimized
            .iter()
            .rev()
            .find(|(since, _)| *since <= then)
            .unwrap_or(&self.optimized[0]);
        *revision
    }

    async fn take(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match step {
            Step::Write { through, what, views } => {
                let (document, user) = (DOCUMENTS[what.0], USERS[what.1]);
                let token = match self.replicas.get(*through) {
                    Some(replica) => replica.set(document, user, *views).await,
                    None => self.server.set(document, user, *views),
                };
                self.tokens.push(token);
            }
            Step::Quantize => {
                self.server.quantize();
                let optimized = self.server.state().optimized;
                self.optimized.push((Instant::now(), optimized));
            }
            Step::Wait(millis) => advance(Duration::from_millis(*millis)).await,
            Step::Read {
                through,
                what,
                wish,
                carried,
            } => {
                let (consistency, token) = self.spell(*wish);
                let reply = self.ask(*through, *what, consistency, *carried).await;
                self.judge(*what, *wish, token.as_deref(), &reply)?;
            }
            Step::Forge {
                through,
                what,
                ahead,
                exact,
                carried,
            } => {
                let head = self.server.state().head;
                let forged = self.server.token(head + ahead);
                let consistency = if *exact { exactly(&forged) } else { at_least(&forged) };
                let reply = self.ask(*through, *what, consistency, *carried).await;
                prop_assert!(!reply.is_hit(), "a forgery was answered from memory: {:?}", reply);
                let expected = if *exact { OUT_OF_RANGE } else { OK };
                prop_assert_eq!(reply.status(), expected);
            }
        }
        Ok(())
    }

    fn spell(&self, wish: Wish) -> (Option<Consistency>, Option<String>) {
        match wish {
            Wish::None => (None, None),
            Wish::MinimizeLatency => (minimize_latency(), None),
            Wish::AtLeast(nth) => (at_least(self.token(nth)), Some(self.token(nth).to_owned())),
            Wish::Exactly(nth) => (exactly(self.token(nth)), Some(self.token(nth).to_owned())),
            Wish::Full => (full(), None),
        }
    }

    async fn ask(
        &mut self,
        through: usize,
        what: (usize, usize),
        consistency: Option<Consistency>,
        carried: bool,
    ) -> Reply {
        use crate::api::Requirement::{AtExactSnapshot, AtLeastAsFresh, FullyConsistent, MinimizeLatency};
        let (document, user) = (DOCUMENTS[what.0], USERS[what.1]);
        let replica = &self.replicas[through];
        let reply = match consistency.clone().and_then(|consistency| consistency.requirement) {
            Some(requirement) if carried => {
                let plain: CheckRequest = check(document, user, None);
                let wish = |wish| replica.metadata("zookie-consistency", wish);
                let client = match &requirement {
                    MinimizeLatency(_) => wish("minimize-latency"),
                    FullyConsistent(_) => wish("fully-consistent"),
                    AtLeastAsFresh(token) => replica.metadata("zookie", &token.token),
                    AtExactSnapshot(token) => wish("at-exact-snapshot").metadata("zookie", &token.token),
                };
                client.check(&plain).await
            }
            _ => replica.check(&check(document, user, consistency)).await,
        };
        self.hits += usize::from(reply.is_hit());
        reply
    }

    /// The answer is the store's at the revision that it bears, which covers what the caller demands and is no older than
    /// the bound, forgeries or not.
    fn judge(&self, what: (usize, usize), wish: Wish, token: Option<&str>, reply: &Reply) -> Result<(), TestCaseError> {
        prop_assert_eq!(reply.status(), OK);
        let (at, _) = self.server.number(&reply.at()).unwrap();
        let head = self.server.state().head;
        prop_assert!(at <= head, "{} was never reached: {:?}", at, reply);
        let truth = self.server.views(at, DOCUMENTS[what.0], USERS[what.1]);
        prop_assert_eq!(reply.has(), truth, "at {}: {:?}", at, reply);
        let told = token.and_then(|token| self.server.number(token)).map(|(told, _)| told);
        match (wish, told) {
            (Wish::Exactly(_), told) => prop_assert_eq!(Some(at), told),
            (Wish::Full, _) => prop_assert!(at == head && !reply.is_hit()),
            (_, told) => {
                prop_assert!(
                    told.is_none_or(|told| at >= told),
                    "{} below {:?}: {:?}",
                    at,
                    told,
                    reply
                );
                let oldest = self.oldest();
                prop_assert!(at >= oldest, "{} is older than {}: {:?}", at, oldest, reply);
            }
        }
        Ok(())
    }
}

#[test]
fn rules_01_to_08_hold_in_every_history() {
    for engine in [Engine::Postgres, Engine::CockroachDb, Engine::MySql, Engine::Memory] {
        let mut runner = TestRunner::new(ProptestConfig {
            cases: 128,
            failure_persistence: None,
            ..ProptestConfig::default()
        });
        let hits = std::cell::Cell::new(0);
        let outcome = runner.run(&proptest::collection::vec(step(), 1..80), |steps| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build()
                .unwrap();
            runtime.block_on(async {
                let mut world = World::new(engine);
                for step in &steps {
                    world.take(step).await?;
                    // No two steps at one instant.
                    advance(Duration::from_millis(1)).await;
                }
                hits.set(hits.get() + world.hits);
                Ok(())
            })
        });
        outcome.unwrap_or_else(|failure| panic!("{engine:?}: {failure}"));
        assert!(hits.get() > 200, "{engine:?}: only {} hits", hits.get());
    }
}
