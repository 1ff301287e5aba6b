//! The adversary: a caller with the same key as all others, which wants to be let in. It sends any token text in any
//! carrier, made from those that it has seen, any consistency, and requests that are hard to read.

use bytes::Bytes;
use proptest::prelude::*;
use prost::Message;
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie::revision::PostgresSnapshot;
use tower_zookie_testing::frame::{frame, written, written_number};
use tower_zookie_testing::model::Tally;
use tower_zookie_testing::spicedb::Client;
use tower_zookie_testing::spicedb::messages::{Consistency, at_least, bulk, check, exactly, full, minimize_latency};

use crate::server::WRONG_KEY;
use crate::spelling::{Point, PostgresRevision, Spelling};
use crate::store::{mark_complete, mark_in_progress};

/// How it makes a token from one that it has seen.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Forgery {
    Replayed,
    /// "A newer snapshot minus one transaction", or the number below.
    WithoutOne,
    WithoutMany,
    WithOneMore,
    FarAhead,
    Respelled,
    OtherFields,
    SchemaHash,
    OtherPrefix,
    NoPrefix,
    Unreadable,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Carrier {
    Message,
    Metadata,
    Cookie,
    MessageAndMetadata,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Demand {
    AtLeast,
    Exactly,
    Full,
    MinimizeLatency,
    BoundedStaleness,
    NoCache,
    Unknown,
}

/// Other odd properties of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Twist {
    None,
    Range,
    IfNoneMatch,
    Connection,
    ContentEncoding,
    ConsistencyTwice,
    UnknownConsistency,
    TrailingGarbage,
    CompressedFrame,
    CutFrame,
    WrongKey,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Method {
    Check,
    Bulk,
    Lookup,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Attack {
    pub(crate) through: usize,
    pub(crate) what: (usize, usize),
    pub(crate) forgery: Forgery,
    /// Which of the tokens that it has seen it begins with, counted from the last one.
    pub(crate) of: usize,
    /// Which transaction.
    pub(crate) nth: u64,
    pub(crate) carrier: Carrier,
    pub(crate) demand: Demand,
    pub(crate) twist: Twist,
    pub(crate) method: Method,
    /// It hangs up after this many milliseconds.
    pub(crate) leaves: Option<u64>,
}

const FORGERIES: [Forgery; 11] = [
    Forgery::Replayed,
    Forgery::WithoutOne,
    Forgery::WithoutMany,
    Forgery::WithOneMore,
    Forgery::FarAhead,
    Forgery::Respelled,
    Forgery::OtherFields,
    Forgery::SchemaHash,
    Forgery::OtherPrefix,
    Forgery::NoPrefix,
    Forgery::Unreadable,
];

const CARRIERS: [Carrier; 4] = [
    Carrier::Message,
    Carrier::Metadata,
    Carrier::Cookie,
    Carrier::MessageAndMetadata,
];

const DEMANDS: [Demand; 7] = [
    Demand::AtLeast,
    Demand::Exactly,
    Demand::Full,
    Demand::MinimizeLatency,
    Demand::BoundedStaleness,
    Demand::NoCache,
    Demand::Unknown,
];

const TWISTS: [Twist; 11] = [
    Twist::None,
    Twist::Range,
    Twist::IfNoneMatch,
    Twist::Connection,
    Twist::ContentEncoding,
    Twist::ConsistencyTwice,
    Twist::UnknownConsistency,
    Twist::TrailingGarbage,
    Twist::CompressedFrame,
    Twist::CutFrame,
    Twist::WrongKey,
];

const METHODS: [Method; 3] = [Method::Check, Method::Bulk, Method::Lookup];

pub(crate) fn attack(documents: usize, users: usize) -> impl Strategy<Value = Attack> {
    let forgery = prop_oneof![
        2 => Just(Forgery::WithoutOne),
        3 => prop::sample::select(&FORGERIES[..]),
    ];
    let demand = prop_oneof![4 => Just(Demand::AtLeast), 3 => prop::sample::select(&DEMANDS[..])];
    let carrier = prop_oneof![2 => Just(Carrier::Message), 2 => prop::sample::select(&CARRIERS[..])];
    let twist = prop_oneof![5 => Just(Twist::None), 3 => prop::sample::select(&TWISTS[..])];
    let method = prop_oneof![5 => Just(Method::Check), 1 => prop::sample::select(&METHODS[..])];
    let leaves = prop_oneof![3 => Just(None), 1 => (0..40_u64).prop_map(Some)];
    let which = (0..2_usize, (0..documents, 0..users), 0..4_usize, 0..4_u64);
    (which, forgery, carrier, demand, (twist, method, leaves)).prop_map(
        |((through, what, of, nth), forgery, carrier, demand, (twist, method, leaves))| Attack {
            through,
            what,
            forgery,
            of,
            nth,
            carrier,
            demand,
            twist,
            method,
            leaves,
        },
    )
}

/// Fails if there is anything that it never did.
pub(crate) fn assert_complete(tally: &Tally) {
    fn names(all: &[impl std::fmt::Debug]) -> impl Iterator<Item = String> {
        all.iter().map(|one| format!("{one:?}"))
    }
    let tokens = names(&FORGERIES).chain(names(&CARRIERS)).chain(names(&DEMANDS));
    let others = names(&TWISTS).chain(names(&METHODS));
    tally.assert_all(tokens.chain(others).chain(["Left".to_owned()]));
}

impl Attack {
    pub(crate) fn count(&self, tally: &Tally) {
        tally.add(format!("{:?}", self.forgery));
        tally.add(format!("{:?}", self.carrier));
        tally.add(format!("{:?}", self.demand));
        tally.add(format!("{:?}", self.twist));
        tally.add(format!("{:?}", self.method));
    }

    /// The token that it makes from one that it has seen.
    pub(crate) fn forge(&self, seen: &[String], engine: Engine) -> String {
        let token = &seen[seen.len().saturating_sub(self.of + 1)];
        forge(self.forgery, self.nth, token, engine).unwrap_or_else(|| token.clone())
    }

    /// What it sends. The adversary may drop the future.
    pub(crate) async fn send(self, client: Client, token: String, document: &str, user: &str) {
        let (mut client, consistency) = self.carry(client, &token);
        let (method, message) = match self.method {
            Method::Check => (
                "PermissionsService/CheckPermission",
                check(document, user, consistency).encode_to_vec(),
            ),
            Method::Bulk => (
                "PermissionsService/CheckBulkPermissions",
                bulk(&[(document, user), ("other", user)], consistency).encode_to_vec(),
            ),
            Method::Lookup => (
                "PermissionsService/LookupResources",
                check(document, user, consistency).encode_to_vec(),
            ),
        };
        let mut body = frame(&message).to_vec();
        match self.twist {
            Twist::None => {}
            Twist::Range => client = client.metadata("range", "bytes=0-3"),
            Twist::IfNoneMatch => client = client.metadata("if-none-match", "\"x\""),
            Twist::Connection => client = client.metadata("connection", "x"),
            Twist::ContentEncoding => client = client.metadata("content-encoding", "gzip"),
            Twist::ConsistencyTwice => body = doubled(&message, &at_least(&token).unwrap().encode_to_vec()),
            Twist::UnknownConsistency => body = doubled(&message, &written_number(9, 1)),
            Twist::TrailingGarbage => body.extend_from_slice(b"x"),
            Twist::CompressedFrame => body[0] = 1,
            Twist::CutFrame => body.truncate(body.len() - 2),
            Twist::WrongKey => client = client.metadata("authorization", WRONG_KEY),
        }
        client.send(method, Bytes::from(body)).await;
    }

    /// The consistency in the message, and the metadata.
    fn carry(&self, client: Client, token: &str) -> (Client, Option<Consistency>) {
        let with_consistency = |client: Client, consistency| client.metadata("zookie-consistency", consistency);
        let in_message = matches!(self.carrier, Carrier::Message | Carrier::MessageAndMetadata);
        let client = match self.carrier {
            Carrier::Message => client,
            Carrier::Metadata | Carrier::MessageAndMetadata => client.metadata("zookie", token),
            Carrier::Cookie => client.cookie(token),
        };
        match (self.demand, in_message) {
            (Demand::AtLeast, true) => (client, at_least(token)),
            (Demand::AtLeast, false) => (client, None),
            (Demand::Exactly, true) => (client, exactly(token)),
            (Demand::Exactly, false) => (with_consistency(client, "at-exact-snapshot"), None),
            (Demand::Full, true) => (client, full()),
            (Demand::Full, false) => (with_consistency(client, "fully-consistent"), None),
            (Demand::MinimizeLatency, true) => (client, minimize_latency()),
            (Demand::MinimizeLatency, false) => (with_consistency(client, "minimize-latency"), None),
            (Demand::BoundedStaleness, true) => (with_consistency(client, "bounded-staleness=2s"), at_least(token)),
            (Demand::BoundedStaleness, false) => (with_consistency(client, "bounded-staleness=2s"), None),
            (Demand::NoCache, true) => (client.metadata("cache-control", "no-cache"), exactly(token)),
            (Demand::NoCache, false) => (client.metadata("cache-control", "no-cache"), None),
            (Demand::Unknown, true) => (with_consistency(client, "whatever"), at_least(token)),
            (Demand::Unknown, false) => (with_consistency(client, "whatever"), None),
        }
    }
}

/// A message with a second consistency after the first.
fn doubled(message: &[u8], second: &[u8]) -> Vec<u8> {
    frame(&[message, &written(1, second)].concat()).to_vec()
}

fn forge(forgery: Forgery, nth: u64, token: &str, engine: Engine) -> Option<String> {
    let spelling = Spelling::read(token)?;
    let point = spelling.point(engine)?;
    let made = |point: Point| Some(Spelling::of(&point, engine, &spelling.prefix).write());
    match forgery {
        Forgery::Replayed => None,
        Forgery::WithoutOne => made(match &point {
            Point::Snapshot(seen) => Point::Snapshot(mark_in_progress(seen, seen.xmax() - 1 - nth)),
            Point::Number(number, logical) => Point::Number(number - 1 - nth, *logical),
        }),
        Forgery::WithoutMany => made(match &point {
            Point::Snapshot(seen) => {
                let many = (0..=nth).map(|n| seen.xmax() - 1 - 2 * n);
                Point::Snapshot(many.fold(seen.clone(), |seen, id| mark_in_progress(&seen, id)))
            }
            Point::Number(number, logical) => Point::Number(number - 100 * (nth + 1), *logical),
        }),
        Forgery::WithOneMore => made(match &point {
            Point::Snapshot(seen) => Point::Snapshot(mark_complete(seen, seen.xmax() + nth)),
            Point::Number(number, logical) => Point::Number(number + 1 + nth, *logical),
        }),
        Forgery::FarAhead => made(match &point {
            Point::Snapshot(seen) => {
                let far = seen.xmax() + 1000;
                Point::Snapshot(PostgresSnapshot::new(far, far, []).unwrap())
            }
            Point::Number(number, logical) => Point::Number(number + 1000 * (nth + 1), *logical),
        }),
        Forgery::Respelled => {
            let revision = match &point {
                // Transactions in progress beyond its end: it sees the same.
                Point::Snapshot(seen) => {
                    let mut revision = PostgresRevision::of(seen);
                    let end = revision.relative_xmax;
                    revision.relative_xmax += 2;
                    revision.relative_xips.extend([end, end + 1]);
                    revision.write()
                }
                Point::Number(number, 0) if engine == Engine::CockroachDb => format!("{number}.0"),
                Point::Number(..) => format!("00{}", spelling.revision),
            };
            Some(Spelling { revision, ..spelling }.write())
        }
        Forgery::OtherFields => {
            let mut spelling = spelling;
            if let Point::Snapshot(seen) = &point {
                let revision = PostgresRevision {
                    optional_txid: 8812 + nth,
                    optional_timestamp: 1,
                    ..PostgresRevision::of(seen)
                };
                spelling.revision = revision.write();
                return Some(spelling.write());
            }
            // An unknown field of the token, which works on every engine.
            use base64::Engine as _;
            let base64 = base64::engine::general_purpose::STANDARD;
            let mut bytes = base64.decode(spelling.write()).ok()?;
            bytes.extend(written_number(1, 1));
            Some(base64.encode(bytes))
        }
        Forgery::SchemaHash => Some(
            Spelling {
                schema_hash: b"of-an-older-schema".to_vec(),
                ..spelling
            }
            .write(),
        ),
        Forgery::OtherPrefix => Some(
            Spelling {
                prefix: "anothers".to_owned(),
                ..spelling
            }
            .write(),
        ),
        Forgery::NoPrefix => Some(
            Spelling {
                prefix: String::new(),
                ..spelling
            }
            .write(),
        ),
        Forgery::Unreadable => Some(token.chars().rev().filter(|sign| *sign != '=').collect()),
    }
}
