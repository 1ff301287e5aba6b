//! The store behind the tests' SpiceDB: transactions that begin, stay in progress and end in any order, rows that they
//! make and end, and the revisions that its engine gives to all that.

use std::collections::{BTreeMap, HashMap};

use tokio::time::Instant;
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie::revision::PostgresSnapshot;

use crate::spelling::Point;

/// A document and a user, who becomes a viewer of it or ceases to be one.
pub(crate) type Change = (String, String, bool);

/// The number of everything that existed before a test began.
pub(crate) const FIRST: u64 = 1000;
/// The same for engines that number by the clock, in nanoseconds.
const FIRST_INSTANT: u64 = 1_795_230_120_000_000_000;
/// How long old revisions can be read, in nanoseconds.
const RETENTION: u64 = 24 * 3600 * 1_000_000_000;
/// How far ahead of the last id PostgreSQL still accepts a transaction's id.
const READABLE_AHEAD: u64 = 1 << 33;

/// A revision, and the other fields of its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) point: Point,
    /// The transaction that made it.
    pub(crate) txid: Option<u64>,
    pub(crate) timestamp: Option<u64>,
}

impl From<Point> for Named {
    fn from(point: Point) -> Self {
        Self {
            point,
            txid: None,
            timestamp: None,
        }
    }
}

#[derive(Debug)]
struct Transaction {
    changes: Vec<Change>,
    /// The snapshot that PostgreSQL gives to it when it begins.
    snapshot: PostgresSnapshot,
    began: u64,
}

/// Made by one transaction, ended by another one.
#[derive(Debug)]
struct Row {
    created: u64,
    deleted: Option<u64>,
}

pub(crate) struct Store {
    engine: Engine,
    started: Instant,
    /// The clock's time then.
    first_instant: u64,
    /// The last instant that was issued: no two are the same.
    clock: u64,
    /// The next transaction's id.
    next: u64,
    open: BTreeMap<u64, Transaction>,
    /// The last that ended, with its own revision; PostgreSQL counts those that were rolled back.
    committed: Vec<(u64, Named)>,
    last_completed: u64,
    rows: HashMap<(String, String), Vec<Row>>,
    /// The transaction that changed each row last.
    last_changes: HashMap<(String, String), Point>,
    oldest: Point,
}

impl Store {
    pub(crate) fn new(engine: Engine) -> Self {
        let mut store = Self {
            engine,
            started: Instant::now(),
            first_instant: FIRST_INSTANT,
            clock: FIRST_INSTANT,
            next: if engine == Engine::Postgres { FIRST } else { FIRST + 1 },
            open: BTreeMap::new(),
            committed: Vec::new(),
            last_completed: FIRST - 1,
            rows: HashMap::new(),
            last_changes: HashMap::new(),
            oldest: Point::Number(0, 0),
        };
        store.oldest = store.head();
        store
    }

    pub(crate) fn beginning_at(engine: Engine, number: u64) -> Self {
        let mut store = Self::new(engine);
        store.jump(number);
        store.committed.clear();
        store.oldest = store.head();
        store
    }

    fn numbers_by_clock(&self) -> bool {
        matches!(self.engine, Engine::Memory | Engine::CockroachDb)
    }

    pub(crate) fn is_repeatable(&self) -> bool {
        matches!(self.engine, Engine::Postgres | Engine::CockroachDb)
    }

    fn now(&mut self) -> u64 {
        let elapsed = u64::try_from(self.started.elapsed().as_nanos()).unwrap();
        self.clock = (self.clock + 1).max(self.first_instant + elapsed);
        self.clock
    }

    /// The next instant is this one.
    pub(crate) fn set_clock(&mut self, to: u64) {
        let elapsed = u64::try_from(self.started.elapsed().as_nanos()).unwrap();
        (self.clock, self.first_instant) = (to - 1, to - elapsed);
    }

    /// Whether no open transaction is about to change one of these: the next one would have to wait for it.
    pub(crate) fn is_free(&self, changes: &[Change]) -> bool {
        let mut locked = self.open.values().flat_map(|transaction| &transaction.changes);
        !locked.any(|(document, user, _)| changes.iter().any(|change| (&change.0, &change.1) == (document, user)))
    }

    /// A transaction begins. Its id.
    pub(crate) fn begin(&mut self, changes: Vec<Change>) -> u64 {
        assert!(self.is_free(&changes), "another transaction has locked the row");
        let transaction = Transaction {
            changes,
            snapshot: self.snapshot(),
            began: self.now(),
        };
        let id = self.next;
        self.next += 1;
        self.open.insert(id, transaction);
        id
    }

    /// A transaction ends, and its changes become visible. Returns the revision that its writer gets.
    pub(crate) fn commit(&mut self, id: u64) -> Named {
        let transaction = self.open.remove(&id).expect("a transaction that is open");
        let stamp = if self.numbers_by_clock() { self.now() } else { id };
        let mut changed = Vec::new();
        for (document, user, views) in transaction.changes {
            changed.push((document.clone(), user.clone()));
            let rows = self.rows.entry((document, user)).or_default();
            if let Some(living) = rows.iter_mut().find(|row| row.deleted.is_none()) {
                living.deleted = Some(stamp);
            }
            if views {
                rows.push(Row {
                    created: stamp,
                    deleted: None,
                });
            }
        }
        self.last_completed = self.last_completed.max(id);
        let named = match self.engine {
            Engine::Postgres => Named {
                point: Point::Snapshot(mark_complete(&transaction.snapshot, id)),
                txid: Some(id),
                timestamp: Some(transaction.began),
            },
            _ => Point::Number(stamp, 0).into(),
        };
        self.last_changes
            .extend(changed.into_iter().map(|row| (row, named.point.clone())));
        self.committed.push((stamp, named.clone()));
        named
    }

    /// The revision at which this relationship changed last.
    pub(crate) fn last_change_of(&self, resource: &str, subject: &str) -> Option<Point> {
        self.last_changes
            .get(&(resource.to_owned(), subject.to_owned()))
            .cloned()
    }

    pub(crate) fn roll_back(&mut self, id: u64) {
        if self.open.remove(&id).is_some() {
            self.last_completed = self.last_completed.max(id);
        }
    }

    pub(crate) fn open(&self) -> Vec<u64> {
        self.open.keys().copied().collect()
    }

    /// The snapshot that PostgreSQL gives to a transaction that begins.
    fn snapshot(&self) -> PostgresSnapshot {
        let xmax = self.last_completed + 1;
        let in_progress: Vec<u64> = self.open.keys().copied().filter(|id| *id < xmax).collect();
        let xmin = in_progress.first().copied().unwrap_or(xmax);
        PostgresSnapshot::new(xmin, xmax, in_progress).unwrap()
    }

    /// The revision of a fully consistent read.
    pub(crate) fn head(&mut self) -> Point {
        match self.engine {
            Engine::Postgres => Point::Snapshot(self.snapshot()),
            Engine::CockroachDb => Point::Number(self.now(), 0),
            Engine::Memory => Point::Number(self.last_commit(FIRST_INSTANT), 0),
            _ => Point::Number(self.last_commit(FIRST), 0),
        }
    }

    /// The lowest revision at which a read sees all that is committed.
    pub(crate) fn last_change(&mut self) -> Point {
        match self.engine {
            Engine::CockroachDb => Point::Number(self.last_commit(FIRST_INSTANT), 0),
            _ => self.head(),
        }
    }

    fn last_commit(&self, before_all: u64) -> u64 {
        self.committed
            .iter()
            .map(|(stamp, _)| *stamp)
            .max()
            .unwrap_or(before_all)
    }

    /// The newest revision that reads without a token can be answered at.
    pub(crate) fn newest_default(&mut self) -> Named {
        match self.engine {
            Engine::Memory => Point::Number(self.now(), 0).into(),
            _ => self.head().into(),
        }
    }

    /// The revision of the n-th last transaction that was committed: a quantized one is that of a transaction.
    pub(crate) fn of_transaction(&self, nth_last: usize) -> Option<Named> {
        let (_, named) = self.committed.iter().nth_back(nth_last)?;
        // Unlike a write's revision, a quantized one contains no time.
        Some(Named {
            timestamp: None,
            ..named.clone()
        })
    }

    /// Whether an exact read at this is rejected, and why.
    pub(crate) fn rejects_exactly(&mut self, point: &Point) -> Option<&'static str> {
        let newest = match self.engine {
            Engine::Postgres | Engine::MySql => self.head(),
            _ => Point::Number(self.now(), 0),
        };
        // PostgreSQL takes what is concurrent with its head.
        if *point > newest {
            return Some("invalid revision: revision was invalid");
        }
        let oldest = match self.engine {
            Engine::Postgres | Engine::MySql => self.oldest.clone(),
            _ => Point::Number(self.clock - RETENTION, 0),
        };
        (oldest > *point).then_some("invalid revision: revision has expired")
    }

    /// Whether a read at this fails, whatever it is asked for.
    pub(crate) fn can_not_read(&mut self, point: &Point) -> Option<(i32, &'static str)> {
        match point {
            Point::Snapshot(snapshot) => (snapshot.xmin() > self.next + READABLE_AHEAD)
                .then_some((13, "an internal error occurred while accessing the datastore")),
            Point::Number(number, _) if self.numbers_by_clock() => {
                let ahead = *number > self.now();
                let memory = (
                    11,
                    "invalid zedtoken: failed to lookup namespaces: revision was invalid",
                );
                let cockroach = (13, "an internal error occurred while accessing the datastore");
                ahead.then_some(if self.engine == Engine::Memory {
                    memory
                } else {
                    cockroach
                })
            }
            Point::Number(..) => None,
        }
    }

    /// Whether a user is a document's viewer in what a read at this revision sees now.
    pub(crate) fn views(&self, point: &Point, document: &str, user: &str) -> bool {
        let upto = match point {
            // The first of its snapshots at or after it.
            Point::Number(number, _) if self.engine == Engine::Memory => {
                let stamps = self.committed.iter().map(|(stamp, _)| *stamp);
                stamps.filter(|stamp| stamp >= number).min().unwrap_or(u64::MAX)
            }
            Point::Number(number, _) => *number,
            Point::Snapshot(_) => 0,
        };
        let sees = |id: u64| match point {
            Point::Snapshot(snapshot) => snapshot.sees(id),
            Point::Number(..) => id <= upto,
        };
        let rows = self.rows.get(&(document.to_owned(), user.to_owned()));
        let mut rows = rows.into_iter().flatten();
        rows.any(|row| sees(row.created) && !row.deleted.is_some_and(sees))
    }

    /// Whether a subject views a resource at this revision: by itself, as any user, or through the resource's groups and
    /// folders.
    pub(crate) fn decides(&self, point: &Point, resource: &str, subject: &str) -> bool {
        let through = |(above, subjects): (&String, &String)| {
            let (inner, _) = subjects.split_once('#').unwrap_or((subjects, ""));
            above == resource
                && inner.contains(':')
                && self.views(point, resource, subjects)
                && self.decides(point, inner, subject)
        };
        self.views(point, resource, subject)
            || self.views(point, resource, "*")
            || self.rows.keys().any(|(above, subjects)| through((above, subjects)))
    }

    /// Whether there is a relationship now, as a transaction that begins sees it.
    pub(crate) fn exists(&self, resource: &str, subject: &str) -> bool {
        let rows = self.rows.get(&(resource.to_owned(), subject.to_owned()));
        rows.into_iter().flatten().any(|row| row.deleted.is_none())
    }

    /// The relationships that there are now.
    pub(crate) fn all(&self) -> Vec<(String, String)> {
        let mut all: Vec<_> = self
            .rows
            .keys()
            .filter(|(resource, subject)| self.exists(resource, subject))
            .cloned()
            .collect();
        all.sort_unstable();
        all
    }

    /// As if this many transactions had ended that the tests do not know.
    pub(crate) fn jump(&mut self, to: u64) {
        assert!(self.open.is_empty() && to >= self.next);
        self.next = if self.engine == Engine::Postgres { to } else { to + 1 };
        self.last_completed = self.next - 1;
        let head = self.head().into();
        self.committed.push((self.last_completed, head));
    }

    /// A back-up from before everything that a test has done, with another history since.
    pub(crate) fn restore(&mut self, to: u64) {
        *self = Self {
            started: self.started,
            first_instant: self.first_instant,
            clock: self.clock,
            ..Self::new(self.engine)
        };
        self.next = if self.engine == Engine::Postgres { to } else { to + 1 };
        self.last_completed = self.next - 1;
        self.oldest = match self.engine {
            Engine::Postgres => Point::Snapshot(PostgresSnapshot::new(0, 0, []).unwrap()),
            _ => Point::Number(0, 0),
        };
    }
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
