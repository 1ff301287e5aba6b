//! What goes wrong: partitions, crashes, full disks, clocks that jump, delays.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tower_zookie::store::node::AppendFailure;

use crate::site::Site;
use crate::world::{RUN, World};

/// Seconds that a clock is wrong by.
const OFFSETS: [i64; 9] = [-600, -61, -1, 0, 0, 0, 1, 60, 600];

pub(crate) struct Trouble {
    world: Arc<World>,
    random: StdRng,
    /// Nodes that start, or will.
    starting: HashMap<&'static str, JoinHandle<()>>,
}

impl Trouble {
    pub(crate) fn new(world: Arc<World>, seed: u64) -> Self {
        Self {
            world,
            random: StdRng::seed_from_u64(seed),
            starting: HashMap::new(),
        }
    }

    pub(crate) async fn live(&mut self) {
        while self.world.began.elapsed() < RUN {
            let pause = self.random.random_range(100..3_000);
            sleep(Duration::from_millis(pause)).await;
            let site = self.site();
            match self.random.random_range(0..25) {
                0..3 => self.cut(&site),
                3..5 => self.isolate(&site),
                5..7 => self.split(),
                7..11 => self.heal(),
                11..14 => self.crash(&site).await,
                14..16 => self.fail_appends(&site),
                16..18 => self.world.network.interrupt(site.name),
                18..20 => self.turn_clock(&site),
                20 => self.delay(&site),
                21..23 => self.restart_while_entries_arrive(&site).await,
                _ => self.start_all(),
            }
        }
        self.end().await;
    }

    fn site(&mut self) -> Arc<Site> {
        Arc::clone(self.world.sites.choose(&mut self.random).expect("there are sites"))
    }

    fn tell(&self, kind: &str, what: &str) {
        self.world.note(format!("trouble: {kind}"));
        self.world.journal(|| format!("------ {kind}: {what}"));
    }

    fn cut(&mut self, from: &Site) {
        let to = self.site();
        if from.name != to.name {
            self.world.network.cut(from.name, to.name);
            self.tell("cut", &format!("{} to {}", from.name, to.name));
        }
    }

    fn part(&self, one: &[Arc<Site>], other: &[Arc<Site>]) {
        for (one, other) in one.iter().flat_map(|one| other.iter().map(move |other| (one, other))) {
            self.world.network.cut(one.name, other.name);
            self.world.network.cut(other.name, one.name);
        }
    }

    fn isolate(&self, site: &Arc<Site>) {
        let others: Vec<_> = self
            .world
            .sites
            .iter()
            .filter(|other| other.name != site.name)
            .cloned()
            .collect();
        self.part(std::slice::from_ref(site), &others);
        self.tell("partition", site.name);
    }

    fn split(&mut self) {
        let (one, other): (Vec<_>, Vec<_>) = self.world.sites.iter().cloned().partition(|_| self.random.random());
        self.part(&one, &other);
        if !one.is_empty() && !other.is_empty() {
            self.tell(
                "partition",
                &format!("{:?}", one.iter().map(|site| site.name).collect::<Vec<_>>()),
            );
        }
    }

    fn heal(&mut self) {
        self.world.network.heal_all();
        self.tell("heal", "");
    }

    /// What waited for a way arrives while a node starts, which has lost what it had of the others.
    async fn restart_while_entries_arrive(&mut self, site: &Arc<Site>) {
        self.heal();
        self.stop(site).await;
        self.world.network.forget_arrived(site.name);
        self.start(site, Duration::ZERO);
    }

    async fn crash(&mut self, site: &Arc<Site>) {
        self.stop(site).await;
        if self.random.random() {
            self.world.network.forget_arrived(site.name);
        }
        let pause = self.random.random_range(0..5_000);
        self.start(site, Duration::from_millis(pause));
    }

    async fn stop(&mut self, site: &Arc<Site>) {
        if let Some(starting) = self.starting.remove(site.name) {
            starting.abort();
            // It is cancelled, or was over.
            let _ = starting.await;
        }
        self.tell("crash", site.name);
        site.crash().await;
    }

    fn start(&mut self, site: &Arc<Site>, after: Duration) {
        let (world, site_) = (Arc::clone(&self.world), Arc::clone(site));
        let starting = tokio::spawn(async move {
            sleep(after).await;
            match site_.start().await {
                Ok(()) => {
                    world.note("trouble: start");
                    world.journal(|| format!("------ started: {}", site_.name));
                }
                Err(error) => world.broke(format!("{} did not start: {error}", site_.name)),
            }
        });
        self.starting.insert(site.name, starting);
    }

    fn start_all(&mut self) {
        for site in self.world.sites.clone() {
            let is_starting = self
                .starting
                .get(site.name)
                .is_some_and(|starting| !starting.is_finished());
            if !is_starting && site.running().is_none() {
                self.start(&site, Duration::ZERO);
            }
        }
    }

    fn fail_appends(&mut self, site: &Arc<Site>) {
        let failures = [
            AppendFailure::NothingStored,
            AppendFailure::FirstStored,
            AppendFailure::AllStored,
        ];
        let failure = *failures.choose(&mut self.random).expect("there are failures");
        self.world.network.fail_appends(site.name, Some(failure));
        self.tell(&format!("append failure {failure:?}"), site.name);
        let (world, name) = (Arc::clone(&self.world), site.name);
        let pause = Duration::from_millis(self.random.random_range(200..8_000));
        tokio::spawn(async move {
            sleep(pause).await;
            world.network.fail_appends(name, None);
        });
    }

    fn turn_clock(&mut self, site: &Site) {
        let offset = *OFFSETS.choose(&mut self.random).expect("there are offsets");
        site.clock.set_offset(offset);
        self.tell("clock", &format!("{} by {offset} s", site.name));
    }

    fn delay(&mut self, from: &Site) {
        let (to, millis) = (self.site(), self.random.random_range(0..2_000));
        self.world
            .network
            .set_delay(from.name, to.name, Duration::from_millis(millis));
        self.tell("delay", &format!("{} to {}: {millis} ms", from.name, to.name));
    }

    /// Everything works again.
    async fn end(&mut self) {
        for site in &self.world.sites {
            self.world.network.fail_appends(site.name, None);
        }
        self.world.network.heal_all();
        self.start_all();
        for (_, starting) in self.starting.drain() {
            if let Err(error) = starting.await {
                self.world.broke(error.to_string());
            }
        }
    }
}
