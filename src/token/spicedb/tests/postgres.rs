use std::cmp::Ordering;
use std::collections::BTreeSet;

use crate::protobuf::write_varint;
use crate::token::spicedb::tests::*;

fn snapshot(xmin: u64, xmax: u64, in_progress: &[u64]) -> PostgresSnapshot {
    PostgresSnapshot::new(xmin, xmax, in_progress.iter().copied()).unwrap()
}

fn placed(snapshot: PostgresSnapshot) -> Revision {
    Revision::new(store(Engine::Postgres, PREFIX), snapshot)
}

fn read(revision: &str) -> PostgresSnapshot {
    decode(Engine::Postgres, &token(revision, PREFIX))
        .point::<PostgresSnapshot>()
        .unwrap()
        .clone()
}

/// A revision as SpiceDB's message has it: the numbers relative to `xmin`.
#[derive(Clone, Debug, Default)]
struct Spelled {
    xmin: u64,
    relative_xmax: i64,
    relative_xips: Vec<i64>,
    packed: bool,
    txid: u64,
    timestamp: u64,
}

impl Spelled {
    fn message(&self) -> String {
        let mut message = Vec::new();
        write_number(&mut message, 5, self.timestamp);
        if self.packed {
            let mut packed = Vec::new();
            for xip in &self.relative_xips {
                write_varint(&mut packed, xip.cast_unsigned());
            }
            write_bytes(&mut message, 3, &packed);
        } else {
            for xip in &self.relative_xips {
                write_number(&mut message, 3, xip.cast_unsigned());
            }
        }
        write_number(&mut message, 4, self.txid);
        write_number(&mut message, 2, self.relative_xmax.cast_unsigned());
        write_number(&mut message, 1, self.xmin);
        STANDARD.encode(message)
    }

    fn token(&self) -> String {
        token(&self.message(), PREFIX)
    }
}

#[test]
fn reads_the_revision_vectors() {
    for (text, expected) in [
        ("", snapshot(0, 0, &[])),
        ("EAUaAQE=", snapshot(0, 5, &[1])),
        ("CAE=", snapshot(1, 1, &[])),
        ("CAEQAhoBAA==", snapshot(1, 3, &[1])),
        ("CAEQARoBAA==", snapshot(1, 2, &[1])),
        ("CHs=", snapshot(123, 123, &[])),
        (
            "CGQQMhoKAQIDBAUGBwgJCg==",
            snapshot(100, 150, &[101, 102, 103, 104, 105, 106, 107, 108, 109, 110]),
        ),
        ("CAEgASi4o46CjtKKvBg=", snapshot(1, 1, &[])),
        ("500", snapshot(501, 501, &[])),
        ("500.499", snapshot(499, 501, &[499])),
        ("506.499", snapshot(499, 507, &[499, 500, 501, 502, 503, 504, 505])),
    ] {
        assert_eq!(read(text), expected, "{text}");
    }
}

#[test]
fn writes_the_revision_vectors_as_spicedb_does() {
    for text in ["", "CAE=", "CAEQAhoBAA==", "CHs="] {
        let token = token(text, PREFIX);
        assert_eq!(encode(Engine::Postgres, &decode(Engine::Postgres, &token)), Some(token));
    }
}

#[test]
fn a_zookie_is_a_legacy_revision() {
    for (text, settled) in [
        ("CAESAA==", 0),
        ("CAESAggB", 1),
        ("CAESAwiAAg==", 256),
        ("CAIaAwoBNA==", 4),
    ] {
        let expected = snapshot(settled + 1, settled + 1, &[]);
        assert_eq!(decode(Engine::Postgres, text).point(), Some(&expected), "{text}");
    }
}

#[test]
fn legacy_revisions_at_their_edges() {
    for (text, expected) in [
        ("0", snapshot(1, 1, &[])),
        ("0500", snapshot(501, 501, &[])),
        ("2048", snapshot(2049, 2049, &[])),
        ("500.500", snapshot(501, 501, &[])),
        ("500.999999", snapshot(501, 501, &[])),
        ("1000.1", snapshot(1, 1001, &(1..1000).collect::<Vec<_>>())),
    ] {
        assert_eq!(read(text), expected, "{text}");
    }
    for text in [
        "1001.1",
        "1693540940373045727.0000000001",
        "1693540940373045.0",
        "18446744073709551615",
        "18446744073709551616",
        "500.",
        ".500",
        ".",
        "5.4.3",
        "500.18446744073709551616",
    ] {
        assert_malformed(Engine::Postgres, &token(text, PREFIX));
    }
}

#[test]
fn rejects_malformed_snapshots() {
    for text in [
        "-500",
        "+500",
        "500.-1",
        "gobbleygook",
        "CAEQARoBAA",
        "CAEQARoBAA=",
        "1693540940373045727.0000000001",
        "42 ",
        // Cut off; the same number twice; a number of a wrong type.
        "CAEQ",
        "CAEIAQ==",
        "EAEQAQ==",
        "CgEB",
        "EgEB",
        "GQEAAAAAAAAA",
    ] {
        assert_malformed(Engine::Postgres, &token(text, PREFIX));
    }
}

#[test]
fn relative_numbers_stay_within_range() {
    let spelled = |xmin, relative_xmax, xips: &[i64]| Spelled {
        xmin,
        relative_xmax,
        relative_xips: xips.to_vec(),
        packed: true,
        ..Spelled::default()
    };
    let last = i64::MAX.cast_unsigned();
    for good in [
        spelled(last, 0, &[]),
        spelled(0, i64::MAX, &[]),
        spelled(1, i64::MAX - 1, &[0, i64::MAX - 2]),
    ] {
        let revision = decode(Engine::Postgres, &good.token());
        let written = encode(Engine::Postgres, &revision).unwrap();
        assert_eq!(decode(Engine::Postgres, &written), revision);
    }
    for bad in [
        spelled(last + 1, 0, &[]),
        spelled(u64::MAX, 0, &[]),
        spelled(u64::MAX, i64::MIN, &[]),
        spelled(1, i64::MAX, &[]),
        spelled(last, 1, &[]),
        spelled(5, -1, &[]),
        spelled(5, -6, &[]),
        spelled(5, i64::MIN, &[]),
        spelled(5, 3, &[-1]),
        spelled(5, 3, &[3]),
        spelled(5, 3, &[i64::MIN]),
        spelled(5, 3, &[i64::MAX]),
    ] {
        assert_malformed(Engine::Postgres, &bad.token());
    }
}

#[test]
fn the_number_of_transactions_in_progress_is_limited() {
    let max = ZedTokens::MAX_IN_PROGRESS;
    for packed in [false, true] {
        let spelled = |xips: usize| Spelled {
            xmin: 7,
            relative_xmax: 200,
            relative_xips: vec![100; xips],
            packed,
            ..Spelled::default()
        };
        assert_eq!(
            decode(Engine::Postgres, &spelled(max).token()),
            placed(snapshot(7, 207, &[107]))
        );
        assert_eq!(
            rejection(Engine::Postgres, &spelled(max + 1).token()),
            TokenErrorKind::TooManyEntries { max }
        );
    }
}

#[test]
fn a_snapshot_too_large_for_a_token_is_not_written() {
    let open =
        |count: u64| placed(PostgresSnapshot::new(7, u64::from(u32::MAX), (0..count).map(|n| 7 + 2 * n)).unwrap());
    let max = ZedTokens::MAX_IN_PROGRESS as u64;
    let text = encode(Engine::Postgres, &open(max)).unwrap();
    assert_eq!(decode(Engine::Postgres, &text), open(max));
    assert_eq!(encode(Engine::Postgres, &open(max + 1)), None);
    assert_eq!(encode(Engine::Postgres, &placed(snapshot(1 << 63, 1 << 63, &[]))), None);
    assert_eq!(encode(Engine::Postgres, &placed(snapshot(0, u64::MAX, &[]))), None);
}

#[test]
fn tokens_compare_as_spicedb_compares_their_snapshots() {
    use Ordering::{Equal, Greater, Less};
    let far = i64::MAX.cast_unsigned();
    for (a, b, expected) in [
        (snapshot(0, 4, &[2]), snapshot(0, 4, &[2, 3]), Some(Greater)),
        (snapshot(101, 101, &[]), snapshot(100, 104, &[100, 101]), None),
        (snapshot(10, 14, &[10, 12]), snapshot(10, 14, &[11, 13]), None),
        (snapshot(3, 3, &[]), snapshot(3, 6, &[3, 4, 5]), Some(Equal)),
        (snapshot(0, 4, &[2]), snapshot(far, far, &[]), Some(Less)),
    ] {
        let through_a_token =
            |snapshot| decode(Engine::Postgres, &encode(Engine::Postgres, &placed(snapshot)).unwrap());
        assert_eq!(through_a_token(a).partial_cmp(&through_a_token(b)), expected);
    }
    assert_eq!(
        decode(Engine::Postgres, &token("EAUaBQABAgME", PREFIX)),
        decode(Engine::Postgres, &token("", PREFIX))
    );
}

const IDS: i64 = 12;

/// A revision in one of its spellings, and the ids that it sees, computed naively.
fn spelled() -> impl Strategy<Value = (Spelled, BTreeSet<i64>)> {
    let numbers = (0..=IDS, 0..=IDS, proptest::collection::vec(0..IDS, 0..8));
    (numbers, any::<bool>(), any::<u64>(), any::<u64>()).prop_map(|((a, b, ids), packed, txid, timestamp)| {
        let (xmin, xmax) = (a.min(b), a.max(b));
        let ids: Vec<i64> = ids.into_iter().filter(|id| (xmin..xmax).contains(id)).collect();
        let seen = (0..xmax).filter(|id| *id < xmin || !ids.contains(id)).collect();
        let spelled = Spelled {
            xmin: xmin.cast_unsigned(),
            relative_xmax: xmax - xmin,
            relative_xips: ids.iter().map(|id| id - xmin).collect(),
            packed,
            txid,
            timestamp,
        };
        (spelled, seen)
    })
}

/// The number of the last settled transaction, optionally the first one in progress, and the ids that this sees.
fn legacy() -> impl Strategy<Value = (String, BTreeSet<i64>)> {
    (0..IDS, proptest::option::of(0..IDS)).prop_map(|(xid, xmin)| {
        let text = xmin.map_or(xid.to_string(), |xmin| format!("{xid}.{xmin}"));
        let seen = (0..=xid).filter(|id| *id == xid || xmin.is_none_or(|xmin| *id < xmin || xmin >= xid));
        (text, seen.collect())
    })
}

fn any_spelling() -> impl Strategy<Value = (String, BTreeSet<i64>)> {
    prop_oneof![
        3 => spelled().prop_map(|(spelled, seen)| (spelled.message(), seen)),
        1 => legacy(),
    ]
}

proptest! {
    #[test]
    fn tokens_agree_with_sets_of_visible_transactions((a, sees_a) in any_spelling(), (b, sees_b) in any_spelling()) {
        let (a, b) = (decode(Engine::Postgres, &token(&a, PREFIX)), decode(Engine::Postgres, &token_with_more(&b, PREFIX)));
        prop_assert_eq!(a == b, sees_a == sees_b);
        prop_assert_eq!(a >= b, sees_a.is_superset(&sees_b));
        prop_assert_eq!(a <= b, sees_a.is_subset(&sees_b));

        let both = a.join(&b).unwrap();
        let both = decode(Engine::Postgres, &encode(Engine::Postgres, &both).unwrap());
        let snapshot = both.point::<PostgresSnapshot>().unwrap();
        for id in 0..=IDS {
            let seen = sees_a.contains(&id) || sees_b.contains(&id);
            prop_assert_eq!(snapshot.sees(id.cast_unsigned()), seen);
        }
    }

    #[test]
    fn snapshots_and_their_joins_read_back((a, _) in spelled(), (b, _) in spelled(), far in 0..i64::MAX - IDS) {
        let moved = |it: Spelled| Spelled { xmin: it.xmin + far.cast_unsigned(), ..it };
        let (a, b) = (decode(Engine::Postgres, &moved(a).token()), decode(Engine::Postgres, &b.token()));
        for revision in [&a, &b, &a.join(&b).unwrap()] {
            assert_round_trip(Engine::Postgres, revision)?;
        }
    }

    #[test]
    fn any_numbers_read_back_or_are_malformed(
        (xmin, relative_xmax) in (any::<u64>(), any::<i64>()),
        relative_xips in proptest::collection::vec(any::<i64>(), 0..3),
        packed: bool,
    ) {
        let spelled = Spelled { xmin, relative_xmax, relative_xips, packed, ..Spelled::default() };
        match ZedTokens::new(Engine::Postgres).decode(&spelled.token()) {
            Ok(revision) => assert_round_trip(Engine::Postgres, &revision)?,
            Err(error) => prop_assert!(matches!(error.kind(), TokenErrorKind::Malformed(_))),
        }
    }
}
