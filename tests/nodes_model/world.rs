//! One run: sites, their clients, what goes wrong meanwhile, and all that was observed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tower_zookie::revision::VectorClock;
use tower_zookie::store::node::Network;
use tower_zookie::token::RevisionToken;
use tower_zookie_testing::model::{Tally, paused};

use crate::client::Client;
use crate::judge;
use crate::recorder::Record;
use crate::site::{Limits, Site};
use crate::trouble::Trouble;

/// How long clients are at work.
pub(crate) const RUN: Duration = Duration::from_secs(90);

/// All that may pass until all nodes have the same once nothing is wrong any more.
const CONVERGES_WITHIN: Duration = Duration::from_secs(60);

const NAMES: [&str; 5] = ["ap", "eu", "sa", "us-east", "us-west"];

pub(crate) struct World {
    pub(crate) network: Network,
    pub(crate) sites: Vec<Arc<Site>>,
    pub(crate) record: Arc<Mutex<Record>>,
    pub(crate) began: Instant,
    keeps_journal: bool,
    observed: Mutex<Observed>,
}

/// What the clients saw.
#[derive(Debug, Default)]
pub(crate) struct Observed {
    pub(crate) answers: Vec<Answer>,
    pub(crate) writes: Vec<Acknowledged>,
    /// Tokens that anybody has got.
    pub(crate) tokens: Vec<RevisionToken>,
    /// By site, what its node had reached, and when.
    pub(crate) reached: Vec<Vec<(Instant, VectorClock)>>,
    pub(crate) broken: Vec<String>,
    pub(crate) notes: Vec<String>,
    pub(crate) journal: Vec<String>,
}

/// An answer, to be compared with the history when the run is over.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) at: VectorClock,
    pub(crate) said: Said,
    /// Whether a node chose the clock, and not a client.
    pub(crate) is_named: bool,
    pub(crate) by: String,
}

#[derive(Debug)]
pub(crate) enum Said {
    /// The relationships of a document.
    Has(u8, Vec<String>),
    MayView {
        doc: u8,
        user: u8,
        allowed: bool,
    },
}

/// A write that was acknowledged.
#[derive(Debug)]
pub(crate) struct Acknowledged {
    pub(crate) node: String,
    pub(crate) number: u64,
    /// The clock that the reply says it saw.
    pub(crate) saw: Option<VectorClock>,
    /// The token that it carried.
    pub(crate) after: Option<VectorClock>,
    pub(crate) updates: Vec<(&'static str, String)>,
}

impl World {
    pub(crate) fn observed(&self) -> MutexGuard<'_, Observed> {
        self.observed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn note(&self, note: impl Into<String>) {
        self.observed().notes.push(note.into());
    }

    pub(crate) fn broke(&self, what: String) {
        self.journal(|| format!("BROKEN: {what}"));
        self.observed().broken.push(what);
    }

    pub(crate) fn journal(&self, what: impl FnOnce() -> String) {
        if self.keeps_journal {
            let line = format!("{:9.3} {}", self.began.elapsed().as_secs_f64(), what());
            self.observed().journal.push(line);
        }
    }

    /// Notes what every node has reached.
    fn look(&self) {
        let now = Instant::now();
        let mut observed = self.observed();
        for (number, site) in self.sites.iter().enumerate() {
            if let Some(running) = site.running() {
                observed.reached[number].push((now, running.node.clock()));
            }
        }
    }
}

fn limits(random: &mut StdRng) -> Limits {
    let millis = |random: &mut StdRng, choices: &[u64]| Duration::from_millis(*choices.choose(random).unwrap());
    Limits {
        max_revisions: *[3, 10, 40, 1000].choose(random).unwrap(),
        gc_window: millis(random, &[500, 5_000, 60_000]),
        snapshot_every: *[20, 60, 10_000].choose(random).unwrap(),
        report_every: millis(random, &[50, 1_000]),
        read_timeout: millis(random, &[200, 1_000, 3_000]),
        tick: millis(random, &[1, 1_000, 10_000]),
        window: millis(random, &[500, 5_000, 20_000]),
        quantize: millis(random, &[0, 0, 400]),
        layers_stay: random.random(),
        docs: random.random_range(1..=2),
        users: random.random_range(1..=3),
    }
}

/// A run from an empty group to the judgement of all that was observed.
pub(crate) fn run(seed: u64, tally: &Tally) -> Result<(), String> {
    paused(async {
        let mut random = StdRng::seed_from_u64(seed);
        let limits = limits(&mut random);
        let network = Network::named("model");
        network.delay(Duration::from_millis(random.random_range(0..400)));
        network.append_delay(Duration::from_millis(*[0, 2, 50].choose(&mut random).unwrap()));
        if random.random_bool(0.7) {
            network.unsteady(Duration::from_millis(random.random_range(1..800)), seed);
        }
        let record = Arc::new(Mutex::new(Record::default()));
        let began = Instant::now();
        let count = random.random_range(3..=5);
        let sites: Vec<_> = NAMES[..count]
            .iter()
            .map(|name| Site::new(name, &network, &record, &limits, began))
            .collect();
        let world = Arc::new(World {
            network,
            sites,
            record,
            began,
            keeps_journal: std::env::var_os("NODES_MODEL_JOURNAL").is_some(),
            observed: Mutex::new(Observed {
                reached: vec![Vec::new(); count],
                ..Observed::default()
            }),
        });
        world.journal(|| format!("{limits:?}"));
        let outcome = Box::pin(world.live(&mut random))
            .await
            .and_then(|()| judge::judge(&world));
        let observed = world.observed();
        match outcome {
            Ok(()) => observed.notes.iter().for_each(|note| tally.add(note)),
            Err(_) => observed.journal.iter().for_each(|line| eprintln!("{line}")),
        }
        outcome.map_err(|error| format!("seed {seed}: {error}"))
    })
}

impl World {
    async fn live(self: &Arc<Self>, random: &mut StdRng) -> Result<(), String> {
        let (newcomers, members) = (random.random_range(0..=2), self.sites.len());
        for site in &self.sites[..members - newcomers] {
            site.start().await.map_err(|error| error.to_string())?;
        }
        let mut tasks = JoinSet::new();
        for number in 0..random.random_range(3..=5) {
            let mut client = Client::new(number, Arc::clone(self), random.random());
            tasks.spawn(async move { client.live().await });
        }
        let mut trouble = Trouble::new(Arc::clone(self), random.random());
        tasks.spawn(async move { trouble.live().await });
        let watching = Arc::clone(self);
        let watcher = tokio::spawn(async move {
            loop {
                watching.look();
                sleep(Duration::from_millis(100)).await;
            }
        });
        while let Some(done) = tasks.join_next().await {
            done.map_err(|error| error.to_string())?;
        }
        watcher.abort();
        self.converge().await
    }

    /// Waits until all nodes have everything that is stored.
    async fn converge(&self) -> Result<(), String> {
        let deadline = Instant::now() + CONVERGES_WITHIN;
        loop {
            let clocks: Vec<_> = self
                .sites
                .iter()
                .map(|site| site.running().map(|running| running.node.clock()))
                .collect();
            let is_same = clocks.iter().all(|clock| clock.is_some() && *clock == clocks[0]);
            if is_same {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("the nodes do not converge: {clocks:#?}"));
            }
            sleep(Duration::from_millis(500)).await;
        }
    }
}
