//! Callers of two replicas, and writers that write through them or around them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tower_zookie::protocol::permify::{Engine, Permify};
use tower_zookie_testing::model::Tally;
use tower_zookie_testing::permify::Client;
use tower_zookie_testing::permify::database::{Raw, Token};

use crate::adversary::{Forge, forge};
use crate::asked::{Answered, Asked, answered};
use crate::bypass::{Bypass, bypass};
use crate::histories::{ADVERSARY, HONEST};
use crate::server::Server;
use crate::store::legacy;

const TENANTS: [&str; 2] = ["t1", "t2"];
pub(crate) const DOCUMENTS: [&str; 2] = ["plan", "map"];
pub(crate) const USERS: [&str; 2] = ["ada", "bob"];

/// The replica whose reads without a token are windowed.
pub(crate) const WINDOWED: usize = 1;
/// The way around all layers.
const DIRECT: usize = 2;

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Write {
        way: usize,
        tenant: usize,
        what: (usize, usize),
        views: bool,
        hold: bool,
    },
    /// Continues one of the transactions that are held open.
    Advance(Index),
    WriteSchema {
        way: usize,
        tenant: usize,
    },
    Pause(u64),
    BreakFeeds,
    Read(Read),
    Forge(Vec<Forge>),
}

#[derive(Clone, Debug)]
pub(crate) struct Read {
    pub(crate) way: usize,
    pub(crate) tenant: usize,
    /// By this many callers, shortly after one another.
    pub(crate) times: usize,
    /// One is a check, several are a bulk.
    pub(crate) whats: Vec<(usize, usize)>,
    pub(crate) pinned: Option<Index>,
    pub(crate) consistency: ConsistencyLevel,
    pub(crate) tokens: Vec<(Pick, Place)>,
    pub(crate) bypass: Option<Bypass>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConsistencyLevel {
    None,
    /// If there is a token.
    Exact,
    Full,
}

/// A token, by how many were issued since.
#[derive(Clone, Debug)]
pub(crate) enum Pick {
    ReadMode(usize),
    Legacy(usize),
    Forged {
        since: usize,
        ahead: u64,
        below: u64,
        above: u64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Message,
    Header,
    Cookie,
}

/// A schema write that has passed a layer.
#[derive(Clone, Debug)]
pub(crate) struct Passed {
    pub(crate) way: usize,
    pub(crate) tenant: &'static str,
    pub(crate) version: String,
    pub(crate) replied: Instant,
}

pub(crate) struct World {
    pub(crate) server: Server,
    ways: [Client; 3],
    issued: Arc<Mutex<Vec<String>>>,
    pub(crate) passed: Arc<Mutex<Vec<Passed>>>,
    writes: JoinSet<()>,
    reads: JoinSet<Answered>,
    adversary: JoinSet<()>,
    tally: Arc<Tally>,
}

/// What the layers learn from, in addition to the writes through them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Learns {
    Writes,
    Feed,
    Probes,
}

impl World {
    pub(crate) fn new(learns: Learns, latency: Duration, tally: Arc<Tally>) -> Self {
        let server = Server::new(Engine::Postgres);
        server.state().latency = latency;
        let api = || match learns {
            Learns::Probes => Permify::new(Engine::Postgres).probe_by_writing("probes"),
            Learns::Writes | Learns::Feed => Permify::new(Engine::Postgres),
        };
        let ways = [
            Client::with(&server, api(), |builder| builder),
            Client::with(&server, api().window_reads_without_token(), |builder| builder),
            Client::direct(&server),
        ];
        if learns == Learns::Feed {
            for client in &ways[..DIRECT] {
                TENANTS.iter().for_each(|tenant| drop(client.watch(&server, tenant)));
            }
        }
        Self {
            server,
            ways,
            issued: Arc::default(),
            passed: Arc::default(),
            writes: JoinSet::new(),
            reads: JoinSet::new(),
            adversary: JoinSet::new(),
            tally,
        }
    }

    /// Takes all steps, and returns all answers.
    pub(crate) async fn live(&mut self, steps: &[Step]) -> Vec<Answered> {
        for step in steps {
            self.take(step).await;
            // No two steps at one instant.
            sleep(Duration::from_millis(1)).await;
        }
        // The last ones may still be on their way to the server.
        sleep(Duration::from_millis(100)).await;
        self.server.state().store.end_all();
        while self.writes.join_next().await.is_some() {}
        while let Some(adversary) = self.adversary.join_next().await {
            adversary.unwrap();
        }
        let mut answered = Vec::new();
        while let Some(reply) = self.reads.join_next().await {
            answered.push(reply.unwrap());
        }
        answered
    }

    async fn take(&mut self, step: &Step) {
        match step {
            &Step::Write {
                way,
                tenant,
                what,
                views,
                hold,
            } => {
                let (client, issued) = (self.ways[way].clone(), Arc::clone(&self.issued));
                let client = if hold { client.holding() } else { client };
                self.writes.spawn(async move {
                    let token = client
                        .set_in(TENANTS[tenant], DOCUMENTS[what.0], USERS[what.1], views)
                        .await;
                    issued.lock().unwrap().push(token);
                });
            }
            Step::Advance(which) => {
                let store = &mut self.server.state().store;
                if let held @ 1.. = store.held() {
                    store.advance(which.index(held));
                }
            }
            &Step::WriteSchema { way, tenant } => {
                let (client, passed) = (self.ways[way].clone(), Arc::clone(&self.passed));
                let tenant = TENANTS[tenant];
                self.writes.spawn(async move {
                    let version = client.write_schema(tenant).await;
                    let replied = Instant::now();
                    passed.lock().unwrap().push(Passed {
                        way,
                        tenant,
                        version,
                        replied,
                    });
                });
            }
            Step::Pause(millis) => sleep(Duration::from_millis(*millis)).await,
            Step::BreakFeeds => self.server.state().store.break_feeds(),
            Step::Forge(all) => all.iter().for_each(|forge| self.forge(forge.clone())),
            Step::Read(read) => {
                for _ in 0..read.times {
                    let (client, asked) = (self.ways[read.way].clone(), self.asked(read));
                    self.tally.add(HONEST);
                    if let Some(bypass) = asked.bypass {
                        self.tally.add(format!("honest {}", bypass.name()));
                    }
                    self.reads.spawn(answered(client, asked));
                    sleep(Duration::from_millis(7)).await;
                }
            }
        }
    }

    fn forge(&mut self, forge: Forge) {
        let client = self.ways[forge.way].clone();
        let texts = forge.tokens.iter().map(|forged| {
            let issued = self.issued.lock().unwrap();
            let seen = issued
                .len()
                .checked_sub(forged.since + 1)
                .map(|nth| issued[nth].clone());
            let seen = seen.and_then(|seen| self.server.state().store.parse(&seen));
            (forged.place, forged.text(seen.as_ref()))
        });
        let (texts, tally) = (texts.collect(), Arc::clone(&self.tally));
        tally.add(ADVERSARY);
        self.adversary.spawn(async move {
            let tenant = TENANTS[forge.tenant];
            let notes = forge.send(client, tenant, texts).await;
            notes.into_iter().for_each(|note| tally.add(note));
        });
    }

    fn asked(&self, read: &Read) -> Asked {
        let tenant = TENANTS[read.tenant];
        let latest = self.server.state().store.latest(tenant, Instant::now());
        let mut asked = Asked {
            way: read.way,
            tenant,
            whats: read
                .whats
                .iter()
                .map(|what| (DOCUMENTS[what.0], USERS[what.1]))
                .collect(),
            pinned: read.pinned.map(|pinned| pinned.index(latest + 1)),
            consistency: read.consistency,
            message: None,
            header: None,
            cookie: None,
            bypass: read.bypass,
        };
        // An exact consistency takes one token, and not a cookie's.
        let exact = read.consistency == ConsistencyLevel::Exact;
        let most = if exact { 1 } else { 2 };
        for (pick, place) in read.tokens.iter().take(most) {
            let place = match place {
                Place::Message => &mut asked.message,
                Place::Cookie if !exact => &mut asked.cookie,
                Place::Header | Place::Cookie => &mut asked.header,
            };
            *place = self.pick(pick);
        }
        if exact && asked.message.is_none() && asked.header.is_none() {
            asked.consistency = ConsistencyLevel::None;
        }
        asked
    }

    fn pick(&self, pick: &Pick) -> Option<String> {
        let issued = self.issued.lock().unwrap();
        let since = |since: usize| issued.len().checked_sub(since + 1).map(|nth| issued[nth].clone());
        let store = &self.server.state().store;
        match *pick {
            Pick::ReadMode(n) => since(n),
            Pick::Legacy(n) => Some(legacy(store.parse(&since(n)?)?.xid)),
            Pick::Forged {
                since: n,
                ahead,
                below,
                above,
            } => {
                let xid = store.parse(&since(n)?)?.xid + ahead;
                let snapshot = Raw {
                    xmin: xid - below,
                    xmax: xid + above,
                    in_progress: [].into(),
                };
                Some(Token::of(xid, snapshot).text())
            }
        }
    }
}

fn tenant() -> impl Strategy<Value = usize> {
    prop_oneof![3 => Just(0), 1 => Just(1)]
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let what = || (0..DOCUMENTS.len(), 0..USERS.len());
    let write = (0..3_usize, tenant(), what(), any::<bool>(), prop::bool::weighted(0.3));
    let write = write.prop_map(|(way, tenant, what, views, hold)| Step::Write {
        way,
        tenant,
        what,
        views,
        hold,
    });
    let schema = (0..3_usize, tenant()).prop_map(|(way, tenant)| Step::WriteSchema { way, tenant });
    let pause = prop_oneof![3 => 1..300_u64, 2 => 300..3000_u64, 1 => 3000..12_000_u64];
    prop_oneof![
        6 => write,
        5 => any::<Index>().prop_map(Step::Advance),
        1 => schema,
        4 => pause.prop_map(Step::Pause),
        1 => Just(Step::BreakFeeds),
        10 => prop::collection::vec(forge(), 1..4).prop_map(Step::Forge),
        20 => read().prop_map(Step::Read),
    ]
}

fn read() -> impl Strategy<Value = Read> {
    let what = (0..DOCUMENTS.len(), 0..USERS.len());
    let whats = prop_oneof![
        3 => prop::collection::vec(what.clone(), 1),
        1 => prop::collection::vec(what, 2..5),
    ];
    let forged = (0..4_usize, 0..6_u64, 0..6_u64, 1..8_u64).prop_map(|(since, ahead, below, above)| Pick::Forged {
        since,
        ahead,
        below,
        above,
    });
    let pick = prop_oneof![
        12 => (0..6_usize).prop_map(Pick::ReadMode),
        1 => (0..6_usize).prop_map(Pick::Legacy),
        2 => forged,
    ];
    let place = prop_oneof![6 => Just(Place::Message), 2 => Just(Place::Header), 1 => Just(Place::Cookie)];
    let tokens = (pick, place);
    let tokens = prop_oneof![
        2 => Just(vec![]),
        6 => prop::collection::vec(tokens.clone(), 1),
        1 => prop::collection::vec(tokens, 2),
    ];
    let consistency = prop_oneof![10 => Just(ConsistencyLevel::None), 3 => Just(ConsistencyLevel::Exact), 1 => Just(ConsistencyLevel::Full)];
    let pinned = prop::option::weighted(0.3, any::<Index>());
    let bypass = prop::option::weighted(0.12, bypass());
    (
        0..2_usize,
        tenant(),
        1..8_usize,
        whats,
        pinned,
        consistency,
        tokens,
        bypass,
    )
        .prop_map(
            |(way, tenant, times, whats, pinned, consistency, tokens, bypass)| Read {
                way,
                tenant,
                times,
                whats,
                pinned,
                consistency,
                tokens,
                bypass,
            },
        )
}
