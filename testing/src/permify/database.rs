//! PostgreSQL's transactions, and the tokens that Permify makes from them.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tower_zookie::revision::Revision;
use tower_zookie::token::TokenFormat;
use tower_zookie::token::permify::{Engine, SnapTokens};

/// `pg_current_snapshot()`.
#[derive(Clone, Debug)]
pub struct Raw {
    pub xmin: u64,
    pub xmax: u64,
    pub in_progress: BTreeSet<u64>,
}

/// The content of a token.
#[derive(Clone, Debug)]
pub struct Token {
    pub xid: u64,
    pub snapshot: Raw,
}

impl Token {
    /// The token of the write `xid`, as Permify makes it from the write's snapshot.
    pub fn of(xid: u64, mut snapshot: Raw) -> Self {
        snapshot.in_progress.insert(xid);
        snapshot.xmin = snapshot.xmin.min(xid);
        snapshot.xmax = snapshot.xmax.max(xid + 1);
        Self { xid, snapshot }
    }

    /// The token that the crate makes from the watch's token of `xid`.
    pub fn watched(xid: u64) -> Self {
        let snapshot = Raw {
            xmin: xid,
            xmax: xid + 1,
            in_progress: BTreeSet::new(),
        };
        Self::of(xid, snapshot)
    }

    pub fn text(&self) -> String {
        let Raw {
            xmin,
            xmax,
            in_progress,
        } = &self.snapshot;
        let list: Vec<_> = in_progress.iter().map(ToString::to_string).collect();
        STANDARD.encode(format!("{}:{xmin}:{xmax}:{}", self.xid, list.join(",")))
    }

    pub fn revision(&self) -> Revision {
        SnapTokens::new(Engine::Postgres).decode(&self.text()).unwrap()
    }

    /// `pg_visible_in_snapshot()`, or the write itself.
    fn may_see(&self, xid: u64) -> bool {
        let listed = self.snapshot.in_progress.contains(&xid);
        xid == self.xid || xid < self.snapshot.xmin || xid < self.snapshot.xmax && !listed
    }

    /// The writes that a read at the token sees, of those committed by then.
    pub fn read(&self, committed: &BTreeSet<u64>) -> BTreeSet<u64> {
        committed.iter().copied().filter(|xid| self.may_see(*xid)).collect()
    }
}

/// Transactions that begin and end.
#[derive(Debug)]
pub struct Database {
    next: u64,
    last_ended: u64,
    /// The snapshots of the transactions without a number.
    begun: Vec<Raw>,
    in_progress: BTreeMap<u64, Raw>,
    pub committed: BTreeSet<u64>,
}

impl Database {
    pub fn new(first: u64) -> Self {
        Self {
            next: first,
            last_ended: first - 1,
            begun: vec![],
            in_progress: BTreeMap::new(),
            committed: BTreeSet::new(),
        }
    }

    pub fn snapshot(&self) -> Raw {
        let xmax = self.last_ended + 1;
        let in_progress: BTreeSet<u64> = self.in_progress.range(..xmax).map(|(xid, _)| *xid).collect();
        Raw {
            xmin: in_progress.first().copied().unwrap_or(xmax),
            xmax,
            in_progress,
        }
    }

    /// How many transactions have a snapshot and no number yet.
    pub fn begun(&self) -> usize {
        self.begun.len()
    }

    /// Those with a number.
    pub fn in_progress(&self) -> Vec<u64> {
        self.in_progress.keys().copied().collect()
    }

    /// The transactions below `xmax` that may still commit. A few thousand of those that have not begun are enough: no
    /// token names that many.
    pub fn unended(&self, xmax: u64) -> BTreeSet<u64> {
        let open = self.in_progress.keys().copied();
        open.chain(self.next..xmax.clamp(self.next, self.next + 5000)).collect()
    }

    pub fn begin(&mut self) {
        self.begun.push(self.snapshot());
    }

    pub fn number(&mut self, which: usize) -> u64 {
        let snapshot = self.begun.remove(which);
        self.next += 1;
        self.in_progress.insert(self.next - 1, snapshot);
        self.next - 1
    }

    /// Ends a transaction, and gives its snapshot.
    pub fn end(&mut self, xid: u64) -> Raw {
        self.last_ended = self.last_ended.max(xid);
        self.in_progress.remove(&xid).unwrap()
    }

    /// Commits a write, which is answered with its token.
    pub fn commit(&mut self, xid: u64) -> Token {
        let snapshot = self.end(xid);
        self.committed.insert(xid);
        Token::of(xid, snapshot)
    }

    /// A write from its begin to its end.
    pub fn write(&mut self) -> Token {
        self.begin();
        let xid = self.number(self.begun.len() - 1);
        self.commit(xid)
    }
}
