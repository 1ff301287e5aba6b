//! One region: a node that crashes and starts again, its wall clock, and the service with its layer before it.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::Instant;
use tower::Layer;
use tower_zookie::ZookieService;
use tower_zookie::protocol::Routes;
use tower_zookie::store::node::{Network, Node, StartError};
use tower_zookie::store::{Schema, SnapshotReader, Store};

use crate::recorder::{Record, Recorder};
use crate::service;

/// What all nodes are started with.
pub(crate) const SCHEMA: &str = "
    definition user {}
    definition team { relation member: user }
    definition doc {
        relation reader: user | team#member
        relation banned: user
        permission view = reader - banned
    }";

/// The limits of one run.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) max_revisions: u64,
    pub(crate) gc_window: Duration,
    pub(crate) snapshot_every: u64,
    pub(crate) report_every: Duration,
    pub(crate) read_timeout: Duration,
    /// How many documents there are, and how many users: the fewer, the more writes meet.
    pub(crate) docs: u8,
    pub(crate) users: u8,
    /// How coarse the nodes' clocks are.
    pub(crate) tick: Duration,
    /// The layer's window.
    pub(crate) window: Duration,
    /// Reads that name no revision share one for so long.
    pub(crate) quantize: Duration,
    /// A layer outlives a crash of its node.
    pub(crate) layers_stay: bool,
}

/// A node's own clock.
#[derive(Debug)]
pub(crate) struct WallClock {
    began: Instant,
    /// Seconds.
    offset: AtomicI64,
    tick: Duration,
}

impl WallClock {
    /// 2026-11-26, where nothing is wrong with it.
    const BEGAN: u64 = 1_795_651_200;

    pub(crate) fn set_offset(&self, seconds: i64) {
        self.offset.store(seconds, Relaxed);
    }

    fn now(&self) -> SystemTime {
        let passed = self.began.elapsed().as_nanos() / self.tick.as_nanos() * self.tick.as_nanos();
        let passed = Duration::from_nanos(u64::try_from(passed).unwrap_or(0));
        let base = Self::BEGAN.saturating_add_signed(self.offset.load(Relaxed));
        UNIX_EPOCH + Duration::from_secs(base) + passed
    }
}

pub(crate) struct Site {
    pub(crate) name: &'static str,
    pub(crate) clock: Arc<WallClock>,
    pub(crate) limits: Limits,
    network: Network,
    record: Arc<Mutex<Record>>,
    running: Mutex<Option<Running>>,
    service: Mutex<Option<ZookieService<Router, Routes>>>,
}

/// A node that runs.
#[derive(Clone)]
pub(crate) struct Running {
    pub(crate) node: Arc<Node>,
    pub(crate) reader: SnapshotReader,
    crash: Arc<watch::Sender<bool>>,
}

impl Site {
    pub(crate) fn new(
        name: &'static str,
        network: &Network,
        record: &Arc<Mutex<Record>>,
        limits: &Limits,
        began: Instant,
    ) -> Arc<Self> {
        Arc::new(Self {
            name,
            clock: Arc::new(WallClock {
                began,
                offset: AtomicI64::new(0),
                tick: limits.tick,
            }),
            limits: limits.clone(),
            network: network.clone(),
            record: Arc::clone(record),
            running: Mutex::default(),
            service: Mutex::default(),
        })
    }

    /// Starts the node, which has to wait while it does not reach all others.
    pub(crate) async fn start(self: &Arc<Self>) -> Result<(), StartError> {
        let link = Recorder::new(self.network.link(self.name), Arc::clone(&self.record));
        let clock = Arc::clone(&self.clock);
        let limits = &self.limits;
        let store = Store::builder()
            .max_revisions(limits.max_revisions)
            .gc_window(limits.gc_window);
        let node = Node::builder(self.name)
            .store(store)
            .wall_clock(move || clock.now())
            .snapshot_every(limits.snapshot_every)
            .report_every(limits.report_every)
            .start(Schema::parse(SCHEMA).unwrap(), Arc::new(link))
            .await?;
        let node = Arc::new(node);
        let reader = SnapshotReader::with_timeout(Arc::clone(&node), limits.read_timeout);
        let crash = Arc::new(watch::Sender::new(false));
        *lock(&self.running) = Some(Running { node, reader, crash });
        let mut service = lock(&self.service);
        if service.is_none() || !limits.layers_stay {
            *service = Some(service::layer(limits).layer(service::router(Arc::clone(self))));
        }
        Ok(())
    }

    /// The node is gone at once, with everything that is under way at it.
    pub(crate) async fn crash(&self) {
        let Some(Running { node, crash, reader }) = lock(&self.running).take() else {
            return;
        };
        drop(reader);
        crash.send_replace(true);
        let gone = Arc::downgrade(&node);
        drop(node);
        for _ in 0..1000 {
            if gone.upgrade().is_none() {
                return;
            }
            yield_now().await;
        }
        panic!("the crashed node {} is still in use", self.name);
    }

    pub(crate) fn running(&self) -> Option<Running> {
        lock(&self.running).clone()
    }

    pub(crate) fn service(&self) -> Option<ZookieService<Router, Routes>> {
        lock(&self.service).clone()
    }

    /// Does something at the node. `None`: it does not run, or crashed meanwhile.
    pub(crate) async fn at<T>(&self, act: impl AsyncFnOnce(&Running) -> T) -> Option<T> {
        let running = self.running()?;
        let mut crashed = running.crash.subscribe();
        tokio::select! {
            biased;
            _ = crashed.wait_for(|crashed| *crashed) => None,
            done = act(&running) => Some(done),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
