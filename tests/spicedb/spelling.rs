//! How SpiceDB spells a revision, without the crate's code: the server writes and reads its tokens with this, and so do
//! the forgers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost::Message;
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie::revision::{HybridTime, PostgresSnapshot, Revision, StoreId, TransactionId};

/// A point in a store's history, independent of its token's spelling.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd)]
pub(crate) enum Point {
    Snapshot(PostgresSnapshot),
    /// A transaction's id, or nanoseconds and a logical clock.
    Number(u64, u32),
}

/// SpiceDB's `DecodedZedToken`.
#[derive(Clone, PartialEq, prost::Message)]
struct Decoded {
    #[prost(message, optional, tag = "2")]
    legacy: Option<Legacy>,
    #[prost(message, optional, tag = "3")]
    current: Option<Spelling>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Legacy {
    #[prost(uint64, tag = "1")]
    revision: u64,
}

/// The content of a token.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Spelling {
    #[prost(string, tag = "1")]
    pub(crate) revision: String,
    #[prost(string, tag = "2")]
    pub(crate) prefix: String,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) schema_hash: Vec<u8>,
}

/// SpiceDB's `PostgresRevision`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct PostgresRevision {
    #[prost(uint64, tag = "1")]
    pub(crate) xmin: u64,
    #[prost(int64, tag = "2")]
    pub(crate) relative_xmax: i64,
    #[prost(int64, repeated, tag = "3")]
    pub(crate) relative_xips: Vec<i64>,
    #[prost(uint64, tag = "4")]
    pub(crate) optional_txid: u64,
    #[prost(uint64, tag = "5")]
    pub(crate) optional_timestamp: u64,
}

impl Spelling {
    pub(crate) fn read(token: &str) -> Option<Self> {
        let decoded = Decoded::decode(&*STANDARD.decode(token).ok()?).ok()?;
        let legacy = |legacy: Legacy| Self {
            revision: legacy.revision.to_string(),
            ..Self::default()
        };
        decoded.current.or(decoded.legacy.map(legacy))
    }

    pub(crate) fn write(&self) -> String {
        let decoded = Decoded {
            current: Some(self.clone()),
            legacy: None,
        };
        STANDARD.encode(decoded.encode_to_vec())
    }

    pub(crate) fn of(point: &Point, engine: Engine, prefix: &str) -> Self {
        let revision = match point {
            Point::Snapshot(snapshot) => PostgresRevision::of(snapshot).write(),
            Point::Number(nanos, logical) if engine == Engine::CockroachDb => format!("{nanos}.{logical:010}"),
            Point::Number(number, _) => number.to_string(),
        };
        Self {
            revision,
            prefix: prefix.to_owned(),
            schema_hash: Vec::new(),
        }
    }

    pub(crate) fn point(&self, engine: Engine) -> Option<Point> {
        match engine {
            Engine::Postgres => {
                let snapshot = PostgresRevision::read(&self.revision).and_then(|revision| revision.snapshot());
                snapshot
                    .or_else(|| legacy_snapshot(&self.revision))
                    .map(Point::Snapshot)
            }
            Engine::CockroachDb => {
                let (nanos, logical) = self.revision.split_once('.').unwrap_or((&self.revision, "0"));
                let logical = format!("{logical:0<10}").parse().ok()?;
                Some(Point::Number(nanos.parse().ok()?, logical))
            }
            _ => Some(Point::Number(self.revision.parse().ok()?, 0)),
        }
    }
}

impl PostgresRevision {
    pub(crate) fn of(snapshot: &PostgresSnapshot) -> Self {
        let relative = |id: u64| i64::try_from(id - snapshot.xmin()).unwrap();
        Self {
            xmin: snapshot.xmin(),
            relative_xmax: relative(snapshot.xmax()),
            relative_xips: snapshot.in_progress().iter().map(|id| relative(*id)).collect(),
            ..Self::default()
        }
    }

    pub(crate) fn read(text: &str) -> Option<Self> {
        Self::decode(&*STANDARD.decode(text).ok()?).ok()
    }

    pub(crate) fn write(&self) -> String {
        STANDARD.encode(self.encode_to_vec())
    }

    pub(crate) fn snapshot(&self) -> Option<PostgresSnapshot> {
        let id = |relative: &i64| self.xmin.checked_add_signed(*relative);
        let in_progress: Option<Vec<u64>> = self.relative_xips.iter().map(id).collect();
        PostgresSnapshot::new(self.xmin, id(&self.relative_xmax)?, in_progress?).ok()
    }
}

/// `500`, or with the lowest transaction that was in progress `506.499`.
fn legacy_snapshot(text: &str) -> Option<PostgresSnapshot> {
    let (xid, xmin) = text.split_once('.').unwrap_or((text, text));
    let (xid, xmin): (u64, u64) = (xid.parse().ok()?, xmin.parse().ok()?);
    let in_progress = xmin.min(xid)..xid;
    (in_progress.end - in_progress.start <= 1000)
        .then(|| PostgresSnapshot::new(in_progress.start, xid + 1, in_progress).ok())?
}

impl Point {
    pub(crate) fn snapshot(&self) -> &PostgresSnapshot {
        match self {
            Self::Snapshot(snapshot) => snapshot,
            Self::Number(..) => panic!("{self:?} is no snapshot"),
        }
    }

    /// One past the last transaction that a snapshot sees, or the number.
    pub(crate) fn number(&self) -> u64 {
        match self {
            Self::Snapshot(snapshot) => snapshot.xmax(),
            Self::Number(number, _) => *number,
        }
    }

    /// What the crate reads from it.
    pub(crate) fn revision(&self, engine: Engine, prefix: &str) -> Revision {
        let store = |engine| StoreId::new(["spicedb", engine, prefix]);
        match (self, engine) {
            (Self::Snapshot(snapshot), _) => Revision::new(store("postgres"), snapshot.clone()),
            (Self::Number(id, _), Engine::MySql) => Revision::new(store("mysql"), TransactionId(*id)),
            (Self::Number(nanos, logical), _) => {
                let time = HybridTime {
                    nanos: i64::try_from(*nanos).unwrap(),
                    logical: *logical,
                };
                let name = if engine == Engine::Memory {
                    "memory"
                } else {
                    "cockroachdb"
                };
                Revision::new(store(name), time)
            }
        }
    }
}
