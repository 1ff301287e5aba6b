//! A small SpiceDB: its transactions, the revisions that it names, and the revision at which it answers.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::time::{Instant, sleep};
use tower_zookie::cache::ReadAt;
use tower_zookie::revision::{Counter, PostgresSnapshot, Revision, StoreId};

use crate::workload::{Terms, Workload};
use crate::world::{Millis, Question, World};

/// How long a transaction takes at most on PostgreSQL. Those that overlap have snapshots without an order.
const LONGEST_TRANSACTION: Millis = 500;

/// When in an interval the heartbeat comes.
const HEARTBEAT_AT: Millis = 1_300;

/// What kind of revisions the store has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    /// Revisions count the writes. Nothing else moves the head.
    Counter,
    /// Snapshots in a partial order. A heartbeat moves the head once in an interval.
    Postgres,
}

/// A write, or a heartbeat.
pub(crate) struct Transaction {
    pub(crate) begins: Millis,
    pub(crate) commits: Millis,
    /// The revision that the reply to the write names.
    pub(crate) token: Revision,
    pub(crate) is_write: bool,
}

/// What the store answered.
#[derive(Clone, Debug)]
pub(crate) struct Evaluated {
    pub(crate) allowed: bool,
    pub(crate) revision: Revision,
}

/// The transactions of a run, with what happens in it known beforehand.
pub(crate) struct History {
    world: World,
    engine: Engine,
    id: StoreId,
    interval: Millis,
    slack: Millis,
    /// In the order of their ids, which are issued when they begin. The first one has the id `first`; what was written
    /// before the run has the lower ones.
    pub(crate) transactions: Vec<Transaction>,
    first: u64,
    /// The ids of the history's revisions.
    ids: Vec<u64>,
    /// When the first of this and the later transactions commits.
    first_commit_from: Vec<Millis>,
}

impl History {
    pub(crate) fn new(engine: Engine, workload: &Workload, terms: &Terms) -> Self {
        let mut dice = StdRng::seed_from_u64(0x9057);
        let world = workload.world.clone();
        let interval = terms.interval.as_millis() as Millis;
        let end = workload.checks.last().map_or(0, |check| check.at) + 10 * interval;
        let first = world.head_at(0) + 1;
        let writes = world.writes_after(0).map(|(commits, revision)| {
            let takes = match engine {
                Engine::Counter => 0,
                Engine::Postgres => dice.random_range(1..=LONGEST_TRANSACTION),
            };
            (commits - takes, commits, Some(revision))
        });
        let mut all: Vec<_> = writes.collect();
        if engine == Engine::Postgres {
            let beats = (0..end / interval).map(|beat| beat * interval + HEARTBEAT_AT);
            all.extend(beats.map(|at| (at, at, None)));
        }
        all.sort_by_key(|(begins, commits, _)| (*begins, *commits));

        let mut ids: Vec<u64> = (0..first).collect();
        ids.extend(all.iter().filter_map(|(.., revision)| *revision));
        for ((.., revision), id) in all.iter().zip(first..) {
            if let Some(revision) = revision {
                ids[*revision as usize] = id;
            }
        }
        let mut earliest = Millis::MAX;
        let mut first_commit_from: Vec<Millis> = all
            .iter()
            .rev()
            .map(|(_, commits, _)| {
                earliest = earliest.min(*commits);
                earliest
            })
            .collect();
        first_commit_from.reverse();

        let mut history = Self {
            world,
            engine,
            id: StoreId::new(["hit_rate"]),
            interval,
            slack: terms.bound() - interval,
            transactions: Vec::new(),
            first,
            ids,
            first_commit_from,
        };
        for ((begins, commits, revision), id) in all.into_iter().zip(first..) {
            // A transaction sees what was committed when it began, and itself.
            let unseen = history.in_progress(begins);
            let token = history.snapshot(id + 1, unseen);
            history.transactions.push(Transaction {
                begins,
                commits,
                token,
                is_write: revision.is_some(),
            });
        }
        history
    }

    pub(crate) fn engine(&self) -> Engine {
        self.engine
    }

    /// The lowest id of the run.
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// Those among the transactions that have begun and not committed at an instant.
    fn in_progress(&self, at: Millis) -> Vec<u64> {
        let begun = self.begun(at);
        let recent = (0..begun)
            .rev()
            .take_while(|index| self.transactions[*index].begins >= at - LONGEST_TRANSACTION);
        let open = recent.filter(|index| self.transactions[*index].commits > at);
        open.map(|index| self.first + index as u64).collect()
    }

    fn begun(&self, at: Millis) -> usize {
        self.transactions.partition_point(|one| one.begins <= at)
    }

    /// The revision that sees all ids below `end` except these.
    pub(crate) fn snapshot(&self, end: u64, unseen: impl IntoIterator<Item = u64>) -> Revision {
        match self.engine {
            Engine::Counter => Revision::new(self.id.clone(), Counter(end - 1)),
            Engine::Postgres => {
                let unseen: Vec<u64> = unseen.into_iter().filter(|id| *id < end).collect();
                let lowest = unseen.iter().copied().min().unwrap_or(end);
                let snapshot = PostgresSnapshot::new(lowest, end, unseen).expect("what is unseen lies below the end");
                Revision::new(self.id.clone(), snapshot)
            }
        }
    }

    pub(crate) fn head(&self, at: Millis) -> Revision {
        self.snapshot(self.end(at), self.in_progress(at))
    }

    /// One past the highest id that was issued by an instant.
    pub(crate) fn end(&self, at: Millis) -> u64 {
        self.first + self.begun(at) as u64
    }

    fn sees(&self, revision: &Revision, id: u64) -> bool {
        match self.engine {
            Engine::Counter => revision.point::<Counter>().is_some_and(|counter| id <= counter.0),
            Engine::Postgres => revision
                .point::<PostgresSnapshot>()
                .is_some_and(|snapshot| snapshot.sees(id)),
        }
    }

    fn transaction(&self, id: u64) -> Option<&Transaction> {
        self.transactions.get(id.checked_sub(self.first)? as usize)
    }

    fn commits(&self, id: u64) -> Millis {
        self.transaction(id).map_or(Millis::MIN, |one| one.commits)
    }

    /// The token of a revision of the recorded history.
    pub(crate) fn token(&self, revision: u64) -> Revision {
        let id = self.ids[revision as usize];
        match self.transaction(id) {
            Some(one) => one.token.clone(),
            None => self.snapshot(id + 1, []),
        }
    }

    /// The id of the last write by an instant that changed a question's decision.
    pub(crate) fn last_change(&self, question: Question, at: Millis) -> Option<u64> {
        let ids = self
            .world
            .changes(question)
            .iter()
            .map(|revision| self.ids[*revision as usize]);
        ids.rev().find(|id| self.commits(*id) <= at)
    }

    /// The decision at a revision, by an instant: each write that changes it says what it is from then on.
    pub(crate) fn decision(&self, question: Question, revision: &Revision, at: Millis) -> bool {
        self.world.decision_seen(question, |change| {
            let id = self.ids[change as usize];
            self.commits(id) <= at && self.sees(revision, id)
        })
    }

    /// When the first write committed, by an instant, that changes a question's decision and that a revision does not
    /// see.
    pub(crate) fn next_change(&self, question: Question, revision: &Revision, by: Millis) -> Option<Millis> {
        let ids = self
            .world
            .changes(question)
            .iter()
            .map(|revision| self.ids[*revision as usize]);
        let unseen = ids.filter(|id| !self.sees(revision, *id)).map(|id| self.commits(id));
        unseen.min().filter(|commits| *commits <= by)
    }

    /// When the first write was acknowledged that a revision does not see.
    pub(crate) fn overtaken(&self, revision: &Revision) -> Millis {
        let from = |id: u64| {
            let index = id.saturating_sub(self.first) as usize;
            self.first_commit_from.get(index).copied().unwrap_or(Millis::MAX)
        };
        match self.engine {
            Engine::Counter => revision
                .point::<Counter>()
                .map_or(Millis::MIN, |counter| match counter.0 + 1 {
                    before if before < self.first => Millis::MIN,
                    next => from(next),
                }),
            Engine::Postgres => {
                let Some(snapshot) = revision.point::<PostgresSnapshot>() else {
                    return Millis::MIN;
                };
                if snapshot.xmax() < self.first {
                    return Millis::MIN;
                }
                let open = snapshot.in_progress().iter().map(|id| self.commits(*id));
                open.chain([from(snapshot.xmax())]).min().unwrap_or(Millis::MAX)
            }
        }
    }

    /// The store's revision for the window that begins at `window`, chosen when the store is first asked in it.
    fn window_revision(&self, window: Millis, now: Millis) -> Revision {
        if self.engine == Engine::Counter {
            return self.head(window);
        }
        let of_the_window = &self.transactions[self.transactions.partition_point(|one| one.begins < window)..];
        let begun = of_the_window.iter().take_while(|one| one.begins <= now);
        let mut committed = begun.filter(|one| one.commits <= now);
        committed.next().map_or_else(|| self.head(now), |one| one.token.clone())
    }

    /// When the window of an instant begins.
    pub(crate) fn window_of(&self, at: Millis) -> Millis {
        at - at.rem_euclid(self.interval)
    }
}

/// One store, one run.
pub(crate) struct Store {
    pub(crate) history: Arc<History>,
    latency: Duration,
    started: Instant,
    calls: AtomicU64,
    state: Mutex<State>,
}

struct State {
    dice: StdRng,
    windows: HashMap<Millis, Revision>,
    /// The revisions that the store chose itself.
    named: HashSet<Revision>,
}

impl Store {
    pub(crate) fn new(history: Arc<History>, latency: Duration) -> Self {
        Self {
            history,
            latency,
            started: Instant::now(),
            calls: AtomicU64::new(0),
            state: Mutex::new(State {
                dice: StdRng::seed_from_u64(0xd1ce),
                windows: HashMap::new(),
                named: HashSet::new(),
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> Millis {
        self.started.elapsed().as_millis() as Millis
    }

    pub(crate) fn instant(&self, at: Millis) -> Instant {
        self.started + Duration::from_millis(at.max(0) as u64)
    }

    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// The revision that reads without a demand are answered at now.
    fn quantized(&self) -> Revision {
        let (now, state) = (self.now(), &mut *self.state());
        // A read may still take the window before, for a random part of the slack.
        let late = state.dice.random_range(0..=self.history.slack);
        let window = self.history.window_of(now - late);
        let revision = state
            .windows
            .entry(window)
            .or_insert_with(|| self.history.window_revision(window, now));
        state.named.insert(revision.clone());
        revision.clone()
    }

    /// The revision that such a read is answered at now. A read at a revision is answered at the quantized one if that
    /// is greater, and otherwise at the revision itself.
    pub(crate) fn revision_for(&self, at: &ReadAt) -> Revision {
        match at {
            ReadAt::Any => self.quantized(),
            ReadAt::AtLeast(asked) | ReadAt::Unmodified(asked) => {
                let quantized = self.quantized();
                if quantized > *asked { quantized } else { asked.clone() }
            }
            ReadAt::Exact(asked) => asked.clone(),
            ReadAt::Head => {
                let head = self.history.head(self.now());
                self.state().named.insert(head.clone());
                head
            }
        }
    }

    /// Whether the store chose this revision, in a reply to a read or a write.
    pub(crate) fn has_named(&self, revision: &Revision) -> bool {
        self.state().named.contains(revision)
    }

    /// A transaction begins: in the reply to it the store names its token.
    pub(crate) fn will_name(&self, transaction: &Transaction) {
        self.state().named.insert(transaction.token.clone());
    }

    /// Half of the latency is before the evaluation, half after it.
    pub(crate) async fn read(&self, question: Question, at: &ReadAt) -> Evaluated {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.travel().await;
        let revision = self.revision_for(at);
        let allowed = self.history.decision(question, &revision, self.now());
        self.travel().await;
        Evaluated { allowed, revision }
    }

    async fn travel(&self) {
        if !self.latency.is_zero() {
            sleep(self.latency / 2).await;
        }
    }
}
