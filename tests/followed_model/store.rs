//! The store: transactions that begin, stay open and end in any order, the rows that they make and end, and the revisions
//! that its engine gives to all that.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tokio::time::Instant;
use tower_zookie::changes::{Change, Effect, Event};
use tower_zookie::revision::{Counter, HybridTime, PostgresSnapshot, Revision, StoreId};
use tower_zookie::store::{self as embedded, Update};

use crate::plan::{Plan, Present, QUESTION_COUNT};

/// The id of everything that existed before a case began.
const FIRST: u64 = 999;

/// How far ahead of the last id PostgreSQL still accepts a transaction's id.
const READABLE_AHEAD: u64 = 1 << 33;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Postgres,
    CockroachDb,
    Embedded,
}

/// What a transaction does.
#[derive(Clone, Debug)]
pub(crate) enum Writes {
    /// Relationships become present or absent.
    Relationships(Vec<(usize, bool)>),
    Schema(usize),
}

#[derive(Debug)]
struct Transaction {
    writes: Writes,
    /// The snapshot that PostgreSQL gives to it when it begins.
    snapshot: PostgresSnapshot,
    began: Instant,
}

/// A transaction that was committed.
#[derive(Clone, Debug)]
pub(crate) struct Committed {
    /// Its number in the engine's order.
    pub(crate) stamp: u64,
    /// The token of its writer.
    pub(crate) own: Revision,
    pub(crate) began: Instant,
    pub(crate) ended: Instant,
    pub(crate) event: Option<Event>,
}

/// A relationship that one transaction made, and another one ended.
#[derive(Debug)]
struct Row {
    which: usize,
    created: u64,
    deleted: Option<u64>,
}

#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) engine: Engine,
    pub(crate) plan: Arc<Plan>,
    /// The embedded store, which gives its own numbers.
    pub(crate) real: Arc<embedded::Store>,
    /// The last instant that was issued: no two are the same.
    clock: u64,
    started: Instant,
    next: u64,
    last_ended: u64,
    open: BTreeMap<u64, Transaction>,
    pub(crate) committed: Vec<Committed>,
    rows: Vec<Row>,
    /// The schemas, and the transactions that wrote them.
    schemas: Vec<(u64, usize)>,
    verdicts: HashMap<(usize, Present), [bool; QUESTION_COUNT]>,
}

impl Store {
    pub(crate) fn new(engine: Engine, plan: Arc<Plan>, present: Present) -> Self {
        let present: Vec<usize> = (0..plan.count())
            .filter(|which| present >> which & 1 == 1 && plan.allows(0, *which))
            .collect();
        let real = Arc::new(embedded::Store::new(plan.schema(0).clone()));
        let updates = present
            .iter()
            .map(|which| Update::touch(plan.relationship(*which).clone()));
        let written = real.write(updates).unwrap();
        let first = if engine == Engine::Embedded { written } else { FIRST };
        let row = |which| Row {
            which,
            created: first,
            deleted: None,
        };
        Self {
            engine,
            real,
            clock: first,
            started: Instant::now(),
            next: first + 1,
            last_ended: first,
            open: BTreeMap::new(),
            committed: Vec::new(),
            rows: present.into_iter().map(row).collect(),
            schemas: vec![(first, 0)],
            verdicts: HashMap::new(),
            plan,
        }
    }

    /// An instant that is later than all before.
    fn now(&mut self) -> u64 {
        let elapsed = u64::try_from(self.started.elapsed().as_nanos()).unwrap();
        self.clock = (self.clock + 1).max(FIRST + elapsed);
        self.clock
    }

    fn number(&self, number: u64) -> Revision {
        match self.engine {
            Engine::Postgres => unreachable!("PostgreSQL's revisions are snapshots"),
            Engine::CockroachDb => Revision::new(
                StoreId::new(["model"]),
                HybridTime {
                    nanos: number.cast_signed(),
                    logical: 0,
                },
            ),
            Engine::Embedded => Revision::new(StoreId::new(["counter", "model"]), Counter(number)),
        }
    }

    pub(crate) fn sees(&self, revision: &Revision, stamp: u64) -> bool {
        match self.engine {
            Engine::Postgres => snapshot_of(revision).sees(stamp),
            Engine::CockroachDb => stamp.cast_signed() <= revision.point::<HybridTime>().unwrap().nanos,
            Engine::Embedded => stamp <= revision.point::<Counter>().unwrap().0,
        }
    }

    /// The revision at which all is seen that was committed.
    pub(crate) fn head(&mut self) -> Revision {
        match self.engine {
            Engine::Postgres => snapshot(self.snapshot()),
            Engine::CockroachDb => {
                let now = self.now();
                self.number(now)
            }
            Engine::Embedded => self.number(self.real.current_revision()),
        }
    }

    /// A revision that the store has not reached.
    pub(crate) fn ahead(&self) -> Revision {
        self.number(self.clock + (1 << 50))
    }

    /// The snapshot that PostgreSQL gives to a transaction that begins.
    fn snapshot(&self) -> PostgresSnapshot {
        let xmax = self.last_ended + 1;
        let in_progress: Vec<u64> = self.open.keys().copied().filter(|id| *id < xmax).collect();
        PostgresSnapshot::new(0, xmax, in_progress).unwrap()
    }

    /// The numbers of the last transactions and the next ones.
    pub(crate) fn recent(&self) -> std::ops::Range<u64> {
        self.next.saturating_sub(8).max(FIRST + 1)..self.next + 2
    }

    fn current_schema(&self) -> usize {
        self.schemas.last().unwrap().1
    }

    /// The relationships that exist now.
    pub(crate) fn living(&self) -> Vec<usize> {
        let living = self.rows.iter().filter(|row| row.deleted.is_none());
        let mut living: Vec<_> = living.map(|row| row.which).collect();
        living.sort_unstable();
        living
    }

    /// The relationships that the schema allows now.
    pub(crate) fn allowed(&self) -> Vec<usize> {
        let all = 0..self.plan.count();
        all.filter(|which| self.plan.allows(self.current_schema(), *which))
            .collect()
    }

    /// Whether a transaction can begin: no other one is about to change the same, and every relationship fits every schema
    /// that may be in force with it.
    pub(crate) fn is_free(&self, writes: &Writes) -> bool {
        let open = || self.open.values().map(|transaction| &transaction.writes);
        match writes {
            Writes::Relationships(changes) => open().all(|other| match other {
                Writes::Relationships(others) => others
                    .iter()
                    .all(|(other, _)| changes.iter().all(|(which, _)| which != other)),
                Writes::Schema(schema) => changes
                    .iter()
                    .all(|(which, adds)| !adds || self.plan.allows(*schema, *which)),
            }),
            Writes::Schema(schema) => {
                let added = open().all(|other| match other {
                    Writes::Relationships(others) => others
                        .iter()
                        .all(|(which, adds)| !adds || self.plan.allows(*schema, *which)),
                    Writes::Schema(_) => false,
                });
                added && self.living().iter().all(|which| self.plan.allows(*schema, *which))
            }
        }
    }

    /// A transaction begins. Its id.
    pub(crate) fn begin(&mut self, writes: Writes) -> u64 {
        assert!(self.is_free(&writes));
        let transaction = Transaction {
            writes,
            snapshot: self.snapshot(),
            began: Instant::now(),
        };
        let id = self.next;
        self.next += 1;
        self.open.insert(id, transaction);
        id
    }

    /// A transaction ends, and what it did becomes visible. Returns the token of its writer.
    pub(crate) fn commit(&mut self, id: u64) -> Revision {
        let transaction = self.open.remove(&id).expect("a transaction that is open");
        self.last_ended = self.last_ended.max(id);
        let stamp = match self.engine {
            Engine::Postgres => id,
            Engine::CockroachDb => self.now(),
            Engine::Embedded => self.write_to_real(&transaction.writes),
        };
        let own = match self.engine {
            Engine::Postgres => snapshot(mark_complete(&transaction.snapshot, id)),
            Engine::CockroachDb | Engine::Embedded => self.number(stamp),
        };
        let event = match &transaction.writes {
            Writes::Schema(schema) => {
                self.schemas.push((stamp, *schema));
                Some(Event::SchemaChanged { at: own.clone() })
            }
            Writes::Relationships(changes) => {
                let changes: Vec<_> = changes
                    .iter()
                    .filter_map(|(which, adds)| self.change(stamp, *which, *adds))
                    .collect();
                let at = own.clone();
                (!changes.is_empty()).then_some(Event::Changed { at, changes })
            }
        };
        self.committed.push(Committed {
            stamp,
            own: own.clone(),
            began: transaction.began,
            ended: Instant::now(),
            event,
        });
        own
    }

    pub(crate) fn roll_back(&mut self, id: u64) {
        self.open.remove(&id);
        self.last_ended = self.last_ended.max(id);
    }

    fn write_to_real(&self, writes: &Writes) -> u64 {
        match writes {
            Writes::Schema(schema) => self.real.write_schema(self.plan.schema(*schema).clone()).unwrap(),
            Writes::Relationships(changes) => {
                let update = |(which, adds): &(usize, bool)| {
                    let made = self.plan.relationship(*which).clone();
                    if *adds {
                        Update::touch(made)
                    } else {
                        Update::delete(made)
                    }
                };
                self.real.write(changes.iter().map(update)).unwrap()
            }
        }
    }

    /// Makes or ends a row. `None`: there is nothing to do.
    fn change(&mut self, stamp: u64, which: usize, adds: bool) -> Option<Change> {
        let living = self.rows.iter_mut();
        let living = living
            .into_iter()
            .find(|row| row.which == which && row.deleted.is_none());
        match (living, adds) {
            (Some(row), false) => row.deleted = Some(stamp),
            (None, true) => self.rows.push(Row {
                which,
                created: stamp,
                deleted: None,
            }),
            (Some(_), true) | (None, false) => return None,
        }
        // SpiceDB reports every relationship that was added as touched.
        let effect = if adds { Effect::Touched } else { Effect::Removed };
        Some(self.plan.change(effect, which))
    }

    /// The schema that a reader at `at` sees.
    pub(crate) fn schema_at(&self, at: &Revision) -> usize {
        let seen = self.schemas.iter().rev().find(|(stamp, _)| self.sees(at, *stamp));
        seen.expect("the first schema is seen by all").1
    }

    /// The relationships that a reader at `at` sees now.
    pub(crate) fn present(&self, at: &Revision) -> Present {
        let seen = |row: &&Row| self.sees(at, row.created) && !row.deleted.is_some_and(|end| self.sees(at, end));
        self.rows.iter().filter(seen).fold(0, |all, row| all | 1 << row.which)
    }

    /// The answer to a question in what a reader at `at` sees now.
    pub(crate) fn verdict(&mut self, at: &Revision, question: usize) -> bool {
        let present = self.present(at);
        let schema = self.schema_at(at);
        let plan = Arc::clone(&self.plan);
        let verdicts = self.verdicts.entry((schema, present));
        verdicts.or_insert_with(|| plan.verdicts(schema, present))[question]
    }

    /// Whether a read at least at this revision is answered.
    pub(crate) fn can_read(&mut self, at: &Revision) -> bool {
        match self.engine {
            Engine::Postgres => snapshot_of(at).xmin() <= self.next + READABLE_AHEAD,
            Engine::CockroachDb | Engine::Embedded => self.head() >= *at,
        }
    }

    /// Whether an exact read at this revision is answered: PostgreSQL takes what is concurrent with its head.
    pub(crate) fn can_read_exactly(&mut self, at: &Revision) -> bool {
        match self.engine {
            Engine::Postgres => !matches!(at.partial_cmp(&self.head()), Some(std::cmp::Ordering::Greater)),
            Engine::CockroachDb | Engine::Embedded => self.head() >= *at,
        }
    }
}

pub(crate) fn snapshot_of(revision: &Revision) -> &PostgresSnapshot {
    revision.point().expect("a snapshot")
}

pub(crate) fn snapshot(point: PostgresSnapshot) -> Revision {
    Revision::new(StoreId::new(["model"]), point)
}

/// The snapshot that sees this transaction too, as SpiceDB makes it: those in between are in progress.
pub(crate) fn mark_complete(snapshot: &PostgresSnapshot, id: u64) -> PostgresSnapshot {
    let between = snapshot.xmax()..id.max(snapshot.xmax());
    let in_progress = snapshot.in_progress().iter().copied().filter(|open| *open != id);
    PostgresSnapshot::new(0, snapshot.xmax().max(id + 1), in_progress.chain(between)).unwrap()
}

/// The snapshot that sees everything except this transaction.
pub(crate) fn mark_in_progress(snapshot: &PostgresSnapshot, id: u64) -> PostgresSnapshot {
    let in_progress = snapshot.in_progress().iter().copied();
    let unseen = (id < snapshot.xmax()).then_some(id);
    PostgresSnapshot::new(0, snapshot.xmax(), in_progress.chain(unseen)).unwrap()
}
