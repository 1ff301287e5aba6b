//! The state of the tests' SpiceDB, and how it chooses the revision of a read: like the real one's `consistency`
//! middleware.

use std::time::Duration;

use tokio::time::Instant;
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie_testing::grpc::{INVALID_ARGUMENT, OUT_OF_RANGE, Rejected, UNKNOWN};
use tower_zookie_testing::spicedb::messages::{Consistency, Requirement, Timestamp};

use crate::server::Called;
use crate::spelling::{Point, PostgresRevision, Spelling};
use crate::store::{Named, Store};

/// A head read that takes longer than this is not shared.
const LATE_AT_MOST: Duration = Duration::from_secs(1);

pub(crate) struct State {
    pub(crate) prefix: String,
    pub(crate) store: Store,
    /// The revision at which each node answers a read without a token.
    pub(crate) quantized: [Named; 2],
    /// The node that answers now.
    pub(crate) node: usize,
    /// A head that was asked for earlier and has not arrived yet: this many head reads share it.
    pub(crate) shared_head: Option<(Instant, Point, usize)>,
    /// Tokens have all the fields of the real one's tokens, and are not canonical.
    pub(crate) says_all: bool,
    pub(crate) schema_hash: Vec<u8>,
    /// All calls, unmodified.
    pub(crate) calls: Vec<Called>,
    /// All that it has answered, in order.
    pub(crate) answered: Vec<Answered>,
    /// The default revision of each node, and since when.
    pub(crate) defaults: Vec<(Instant, usize, Point)>,
    /// The heads, and since when.
    pub(crate) heads: Vec<(Instant, Point)>,
    /// When a head read was answered with an older head.
    pub(crate) shared: Vec<Instant>,
    /// The latency of a call before its revision is chosen, and after it was read.
    pub(crate) before: Duration,
    pub(crate) latency: Duration,
    /// How much longer questions about one document take.
    pub(crate) slow: Option<(&'static str, Duration)>,
    /// How long a write stays open.
    pub(crate) write_takes: Duration,
    /// What happens to the next write's reply.
    pub(crate) loses: Option<Loss>,
    /// Every call fails with this status.
    pub(crate) down: Option<i32>,
    pub(crate) expires_at: Option<Timestamp>,
}

/// What happens to the reply to a write that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// The caller gets this status instead.
    Status(i32),
    /// It never comes.
    Never,
}

/// Where the revision of a reply comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chosen {
    Quantized,
    Head,
    Written,
    /// From the request.
    Echoed,
}

/// An answer to one question, or a write's without one.
#[derive(Clone, Debug)]
pub(crate) struct Answered {
    pub(crate) at: Instant,
    pub(crate) point: Point,
    pub(crate) chosen: Chosen,
    pub(crate) question: Option<(String, String)>,
    pub(crate) views: bool,
}

/// Where a read is answered: the token's text, and the revision that is read.
pub(crate) struct At {
    pub(crate) token: String,
    pub(crate) point: Point,
    pub(crate) chosen: Chosen,
}

impl State {
    pub(crate) fn new(engine: Engine) -> Self {
        let mut store = Store::new(engine);
        let first = store.newest_default();
        Self {
            prefix: "6349aaf2".to_owned(),
            defaults: vec![
                (Instant::now(), 0, first.point.clone()),
                (Instant::now(), 1, first.point.clone()),
            ],
            heads: vec![(Instant::now(), store.last_change())],
            shared: Vec::new(),
            quantized: [first.clone(), first],
            store,
            node: 0,
            shared_head: None,
            says_all: false,
            schema_hash: Vec::new(),
            calls: Vec::new(),
            answered: Vec::new(),
            before: Duration::ZERO,
            latency: Duration::ZERO,
            slow: None,
            write_takes: Duration::ZERO,
            loses: None,
            down: None,
            expires_at: None,
        }
    }

    pub(crate) fn spell(&self, named: &Named, engine: Engine) -> String {
        let mut spelling = Spelling::of(&named.point, engine, &self.prefix);
        if let (Point::Snapshot(snapshot), true) = (&named.point, self.says_all) {
            let revision = PostgresRevision {
                optional_txid: named.txid.unwrap_or_default(),
                optional_timestamp: named.timestamp.unwrap_or_default(),
                ..PostgresRevision::of(snapshot)
            };
            spelling.revision = revision.write();
        }
        spelling.schema_hash.clone_from(&self.schema_hash);
        spelling.write()
    }

    /// The revision of a read, chosen as SpiceDB's `consistency` middleware does.
    pub(crate) fn choose(&mut self, consistency: Option<&Consistency>, engine: Engine) -> Result<At, Rejected> {
        let quantized = self.quantized[self.node].clone();
        let requirement = consistency.and_then(|consistency| consistency.requirement.as_ref());
        let (named, chosen) = match requirement {
            None | Some(Requirement::MinimizeLatency(true)) => (quantized, Chosen::Quantized),
            Some(Requirement::FullyConsistent(true)) => (self.head().into(), Chosen::Head),
            Some(Requirement::AtLeastAsFresh(token)) => {
                let (spelling, point) = read(&token.token, engine)?;
                if self.is_foreign(&spelling) {
                    (self.head().into(), Chosen::Head)
                } else if quantized.point > point {
                    (quantized, Chosen::Quantized)
                } else {
                    // Not checked against the head.
                    return self.echo(spelling, point);
                }
            }
            Some(Requirement::AtExactSnapshot(token)) => {
                let (spelling, point) = read(&token.token, engine)?;
                if self.is_foreign(&spelling) {
                    return Err((UNKNOWN, "ZedToken specified references a different datastore instance"));
                }
                return match self.store.rejects_exactly(&point) {
                    Some(why) => Err((OUT_OF_RANGE, why)),
                    None => self.echo(spelling, point),
                };
            }
            _ => return Err((13, "missing handling of consistency case")),
        };
        Ok(At {
            token: self.spell(&named, engine),
            point: named.point,
            chosen,
        })
    }

    /// A token without a prefix is from before SpiceDB wrote one, and taken for its own.
    fn is_foreign(&self, spelling: &Spelling) -> bool {
        !spelling.prefix.is_empty() && spelling.prefix != self.prefix
    }

    /// Every field of a token comes back, except those that the store fills in about itself.
    fn echo(&mut self, mut spelling: Spelling, point: Point) -> Result<At, Rejected> {
        if let Some(rejected) = self.store.can_not_read(&point) {
            return Err(rejected);
        }
        spelling.prefix.clone_from(&self.prefix);
        Ok(At {
            token: spelling.write(),
            point,
            chosen: Chosen::Echoed,
        })
    }

    fn head(&mut self) -> Point {
        match self.shared_head.take() {
            Some((since, head, times)) if times > 0 && since.elapsed() <= LATE_AT_MOST => {
                self.shared.push(Instant::now());
                self.shared_head = Some((since, head.clone(), times - 1));
                head
            }
            _ => self.store.head(),
        }
    }

    pub(crate) fn answer(&mut self, point: &Point, chosen: Chosen, question: Option<(String, String)>, views: bool) {
        self.answered.push(Answered {
            at: Instant::now(),
            point: point.clone(),
            chosen,
            question,
            views,
        });
    }
}

pub(crate) fn read(token: &str, engine: Engine) -> Result<(Spelling, Point), Rejected> {
    let spelling = Spelling::read(token).ok_or((INVALID_ARGUMENT, "invalid zedtoken"))?;
    let point = spelling.point(engine).ok_or((INVALID_ARGUMENT, "invalid zedtoken"))?;
    Ok((spelling, point))
}
