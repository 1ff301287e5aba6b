use std::cmp::Ordering;
use std::error::Error;

use proptest::prelude::*;

use crate::revision::{Counter, Opaque, PostgresSnapshot, TransactionId};
use crate::token::permify::*;

const ENGINES: [Engine; 2] = [Engine::Memory, Engine::Postgres];

fn decode(engine: Engine, text: &str) -> Revision {
    SnapTokens::new(engine)
        .decode(text)
        .unwrap_or_else(|error| panic!("{engine:?} {text:?}: {error}, {:?}", error.source()))
}

fn encode(engine: Engine, revision: &Revision) -> Option<String> {
    let zookie = SnapTokens::new(engine).encode(revision);
    zookie.map(|zookie| zookie.as_str().to_owned())
}

fn rejection(engine: Engine, text: &str) -> TokenErrorKind {
    match SnapTokens::new(engine).decode(text) {
        Ok(revision) => panic!("{engine:?} {text:?}: {revision:?}"),
        Err(error) => error.kind().clone(),
    }
}

fn assert_malformed(engine: Engine, text: &str) {
    let kind = rejection(engine, text);
    assert!(matches!(kind, TokenErrorKind::Malformed(_)), "{text:?}: {kind:?}");
}

fn snapshot(xid: u64, xmin: u64, xmax: u64, in_progress: &[u64]) -> PermifySnapshot {
    PermifySnapshot::new(xid, xmin, xmax, in_progress.iter().copied()).unwrap()
}

fn on_postgres(point: PermifySnapshot) -> Revision {
    Revision::new(StoreId::new(["permify", "postgres"]), point)
}

fn in_memory(nanos: i64, logical: u32) -> Revision {
    Revision::new(StoreId::new(["permify", "memory"]), HybridTime { nanos, logical })
}

/// The token of these bytes.
fn token(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

/// Transactions' numbers in legacy tokens, and as nanoseconds.
const NUMBERS: [(&str, u64); 8] = [
    ("BAAAAAAAAAA=", 4),
    ("DAAAAAAAAAA=", 12),
    ("6qgAAAAAAAA=", 43242),
    ("yTI9AwAAAAA=", 54_342_345),
    ("AhAHT7dPAAA=", 87_648_723_472_386),
    ("lzkihBRvnCA=", 2_349_875_239_487_420_823),
    ("gp/twGSvLBc=", 1_669_902_409_116_000_130),
    ("FxHhb4CrLBc=", 1_669_898_129_968_795_927),
];

/// Snapshots: `xid`, `xmin`, `xmax` and the list.
type Parts = (u64, u64, u64, &'static [u64]);
const SNAPSHOTS: [(&str, Parts); 7] = [
    ("NDo0OjEwMDo0", (4, 4, 100, &[4])),
    ("MTI6MTI6MjAwOjEyLDE1MA==", (12, 12, 200, &[12, 150])),
    (
        "NDMyNDI6MzAwOjQzMjQzOjI1MCwyODAsNDMyNDI=",
        (43242, 300, 43243, &[250, 280, 43242]),
    ),
    ("NzYwOjc1ODo3NjE6NzU4LDc2MA==", (760, 758, 761, &[758, 760])),
    ("MTAwOjEwMDoxMDE6MTAw", (100, 100, 101, &[100])),
    ("MTAxOjEwMDoxMDI6MTAwLDEwMQ==", (101, 100, 102, &[100, 101])),
    ("MTI4MjoxMjc4OjEyODM6MTI4Mg==", (1282, 1278, 1283, &[1282])),
];

#[test]
fn reads_and_writes_the_vectors_of_snapshots() {
    for (text, (xid, xmin, xmax, ids)) in SNAPSHOTS {
        let revision = decode(Engine::Postgres, text);
        assert_eq!(revision, on_postgres(snapshot(xid, xmin, xmax, ids)), "{text}");
        let point = revision.point::<PermifySnapshot>().unwrap();
        assert_eq!((point.xid(), point.xmin(), point.xmax()), (xid, Some(xmin), Some(xmax)));
        assert_eq!(point.in_progress(), ids);
        assert_eq!(encode(Engine::Postgres, &revision).as_deref(), Some(text));
        assert_malformed(Engine::Memory, text);
    }
}

#[test]
fn eight_bytes_are_a_time_or_a_transaction() {
    for (text, number) in NUMBERS {
        let legacy = decode(Engine::Postgres, text);
        assert_eq!(legacy, on_postgres(PermifySnapshot::legacy(number)), "{text}");
        let time = decode(Engine::Memory, text);
        assert_eq!(time, in_memory(number.cast_signed(), 0), "{text}");
        assert_eq!(time.partial_cmp(&legacy), None);
        assert_eq!(encode(Engine::Postgres, &legacy).as_deref(), Some(text));
        assert_eq!(encode(Engine::Memory, &time).as_deref(), Some(text));
    }
}

#[test]
fn eight_letters_are_a_legacy_token_too() {
    let ambiguous = "OTo5OjEwOjk=";
    assert_eq!(STANDARD.decode(ambiguous).unwrap(), b"9:9:10:9");
    let legacy = PermifySnapshot::legacy(u64::from_le_bytes(*b"9:9:10:9"));
    assert_eq!(decode(Engine::Postgres, ambiguous), on_postgres(legacy));
    let written = encode(Engine::Postgres, &decode(Engine::Postgres, ambiguous));
    assert_eq!(written.as_deref(), Some(ambiguous));

    assert_eq!(encode(Engine::Postgres, &on_postgres(snapshot(9, 9, 10, &[]))), None);
    for written in [snapshot(8, 8, 9, &[]), snapshot(10, 10, 11, &[])] {
        let text = encode(Engine::Postgres, &on_postgres(written.clone())).unwrap();
        assert_eq!(decode(Engine::Postgres, &text), on_postgres(written));
    }
}

#[test]
fn rule_01_the_higher_number_is_not_the_later_token() {
    use Ordering::{Greater, Less};
    for (a, b, expected) in [
        ("MTAwOjEwMDoxMDE6MTAw", "MTAxOjEwMDoxMDI6MTAwLDEwMQ==", None),
        (
            "NzYwOjc1ODo3NjE6NzU4LDc2MA==",
            "MTAxOjEwMDoxMDI6MTAwLDEwMQ==",
            Some(Greater),
        ),
        // Below its xmin, but it may see up to 99.
        ("NDo0OjEwMDo0", "MTI6MTI6MjAwOjEyLDE1MA==", None),
        ("NDo0OjEwMDo0", "MTAwOjEwMDoxMDE6MTAw", Some(Less)),
        ("BAAAAAAAAAA=", "DAAAAAAAAAA=", None),
        ("BAAAAAAAAAA=", "MTAwOjEwMDoxMDE6MTAw", None),
    ] {
        let order = decode(Engine::Postgres, a).partial_cmp(&decode(Engine::Postgres, b));
        assert_eq!(order, expected, "{a} {b}");
    }
    let order = decode(Engine::Memory, "FxHhb4CrLBc=").partial_cmp(&decode(Engine::Memory, "gp/twGSvLBc="));
    assert_eq!(order, Some(Less));
}

#[test]
fn legacy_feed_tokens_become_tokens_of_lone_writes() {
    let canonical = |engine, text: &str| SnapTokens::new(engine).canonical(text);
    // 1270, as recorded.
    let named = canonical(Engine::Postgres, "9gQAAAAAAAA=").unwrap();
    assert_eq!(named, token("1270:1270:1271:1270"));
    let revision = decode(Engine::Postgres, &named);
    for text in ["1270:1270:1271:1270", "1270:1250:1271:1250,1270", "1269:1250:1270:1269"] {
        assert!(revision >= decode(Engine::Postgres, &token(text)), "{text}");
    }
    assert!(
        revision
            .partial_cmp(&decode(Engine::Postgres, &token("1271:1270:1272:1271")))
            .is_none()
    );

    for (engine, text) in [
        (Engine::Postgres, "NzYwOjc1ODo3NjE6NzU4LDc2MA=="),
        (Engine::Memory, "gp/twGSvLBc="),
    ] {
        assert_eq!(canonical(engine, text).as_deref(), Some(text));
    }
    // The last number has no successor, and 9's token would look like a legacy one.
    for number in [u64::MAX, 9] {
        assert_eq!(canonical(Engine::Postgres, &token(number.to_le_bytes())), None);
    }
    for engine in ENGINES {
        for text in ["", "latest", "noop", "not yet implemented", "invalid_base64"] {
            assert_eq!(canonical(engine, text), None, "{text}");
        }
    }
}

#[test]
fn other_texts_are_malformed() {
    for engine in ENGINES {
        for text in [
            "",
            "latest",
            "noop",
            "not yet implemented",
            "invalid_base64",
            "not a token",
            "nope!",
            // Permify requires the padding and the standard alphabet, and a header can't contain a line break.
            "BAAAAAAAAAA",
            "BAAAAAAAAAB=",
            "BAAAAAAAAAA=\n",
            " BAAAAAAAAAA=",
            "gp_twGSvLBc=",
            // Seven bytes, and nine.
            "BAAAAAAAAA==",
            "BAAAAAAAAAAA",
        ] {
            assert_malformed(engine, text);
        }
    }
    assert_malformed(Engine::Memory, &token((i64::MAX.cast_unsigned() + 1).to_le_bytes()));
    assert_malformed(Engine::Memory, &token(u64::MAX.to_le_bytes()));
}

#[test]
fn only_what_permify_writes_is_a_snapshot() {
    for text in [
        "789",
        "789:789",
        "789:789:790",
        // Permify or PostgreSQL can read these, but neither writes them.
        "789:789:790:",
        "0789:789:790:789",
        "789:0789:790:789",
        "789:789:0790:789",
        "789:789:790:0789",
        "789:+789:790:789",
        "789:789:790:789,789",
        "789:780:790:780",
        // Neither can read these.
        "+789:789:790:789",
        "-789:789:790:789",
        " 789:789:790:789",
        "789:789:790:789 ",
        "789: 789:790:789",
        "789:789:790:789\n",
        "789:789:790:789:1",
        "789:789:790:789,",
        "789:789:790:,789",
        "789:780:790:785,780,789",
        "789:789:790:789;788",
        "789:0x1:790:789",
        "789:1e2:790:789",
        ":::",
        "789:789:790:\u{667}\u{668}\u{669}",
        // The write, or a transaction in progress, lies outside of the snapshot.
        "789:790:790:789",
        "789:790:791:789",
        "789:780:789:780,789",
        "789:800:790:789",
        "789:789:790:789,790",
        "789:789:790:789,800",
        // Out of range.
        "18446744073709551616:789:790:789",
        "18446744073709551615:18446744073709551615:18446744073709551616:18446744073709551615",
    ] {
        assert_malformed(Engine::Postgres, &token(text));
    }
    assert_malformed(Engine::Postgres, &token(b"789:789:790:78\xff"));
    let last = u64::MAX - 1;
    let text = token(format!("{last}:{last}:{}:{last}", u64::MAX));
    assert_eq!(encode(Engine::Postgres, &decode(Engine::Postgres, &text)), Some(text));
}

#[test]
fn the_number_of_transactions_in_progress_is_limited() {
    let max = SnapTokens::MAX_IN_PROGRESS;
    let naming = |count: usize| snapshot(5000, 2000, 5001, &(5001 - count as u64..=5000).collect::<Vec<_>>());
    let text = encode(Engine::Postgres, &on_postgres(naming(max))).unwrap();
    assert_eq!(decode(Engine::Postgres, &text), on_postgres(naming(max)));
    assert_eq!(encode(Engine::Postgres, &on_postgres(naming(max + 1))), None);

    let one_more = format!("5000:2000:5001:2000,{}", "5000,".repeat(max - 1) + "5000");
    let rejected = rejection(Engine::Postgres, &token(one_more));
    assert_eq!(rejected, TokenErrorKind::TooManyEntries { max });
}

#[test]
fn oversized_tokens_are_rejected_unread() {
    let max = SnapTokens::MAX_LEN;
    for engine in ENGINES {
        let rejected = rejection(engine, &"A".repeat(max + 1));
        assert_eq!(rejected, TokenErrorKind::TooLong { len: max + 1, max });
        assert_malformed(engine, &"A".repeat(max));
    }
    let far = 1 << 62;
    let ids: Vec<u64> = (far..far + 900).collect();
    assert_eq!(
        encode(Engine::Postgres, &on_postgres(snapshot(far, far, far + 900, &ids))),
        None
    );
}

#[test]
fn writes_only_revisions_of_its_own_engine_and_kind() {
    let placed: [fn(StoreId) -> Revision; 6] = [
        |store| Revision::new(store, HybridTime { nanos: 42, logical: 0 }),
        |store| Revision::new(store, snapshot(42, 42, 43, &[])),
        |store| Revision::new(store, PostgresSnapshot::new(42, 43, [42]).unwrap()),
        |store| Revision::new(store, TransactionId(42)),
        |store| Revision::new(store, Counter(42)),
        |store| Revision::new(store, Opaque::new("42")),
    ];
    for engine in ENGINES {
        let written = |parts: &[&str]| {
            let store = || StoreId::new(parts.iter().copied());
            placed
                .iter()
                .filter(|place| encode(engine, &place(store())).is_some())
                .count()
        };
        assert_eq!(written(&["permify", engine.name()]), 1);
        for parts in [
            &["spicedb", engine.name()][..],
            &["permify", engine.name(), ""],
            &["permify"],
            &[],
        ] {
            assert_eq!(written(parts), 0, "{parts:?}");
        }
    }
    assert_eq!(encode(Engine::Memory, &in_memory(42, 1)), None);
    assert_eq!(encode(Engine::Memory, &in_memory(-1, 0)), None);
    assert_eq!(encode(Engine::Postgres, &in_memory(42, 0)), None);
}

#[test]
fn errors_do_not_show_the_token() {
    for engine in ENGINES {
        for text in [
            "secret",
            "c2VjcmV0",
            &token("789:secret:790:789"),
            &token("secret:secret:secret:secret"),
        ] {
            let error = SnapTokens::new(engine).decode(text).unwrap_err();
            let source = error.source().map(ToString::to_string);
            assert!(!format!("{error} {error:?} {source:?}").contains("secret"), "{error:?}");
        }
    }
}

/// A snapshot's text, mostly well-formed.
fn spelled() -> impl Strategy<Value = String> {
    let near = prop_oneof![9 => (0_u64..13).prop_map(|n| n.to_string()), 1 => "[0-9+ ,:]{0,3}"];
    proptest::collection::vec(near, 4..7).prop_map(|numbers| {
        format!(
            "{}:{}:{}:{}",
            numbers[0],
            numbers[1],
            numbers[2],
            numbers[3..].join(",")
        )
    })
}

proptest! {
    #[test]
    fn every_time_reads_back(nanos in 0..i64::MAX) {
        let text = encode(Engine::Memory, &in_memory(nanos, 0)).unwrap();
        prop_assert_eq!(decode(Engine::Memory, &text), in_memory(nanos, 0));
    }

    #[test]
    fn every_snapshot_reads_back(
        xid in 10..u64::MAX,
        (below, above) in (0_u64..2000, 1_u64..2000),
        distances in proptest::collection::vec(0_u64..2000, 0..20),
    ) {
        let xmax = xid.saturating_add(above);
        let ids = distances.into_iter().map(|distance| (xmax - 1).saturating_sub(distance));
        let written = on_postgres(PermifySnapshot::new(xid, xid.saturating_sub(below), xmax, ids).unwrap());
        let text = encode(Engine::Postgres, &written).unwrap();
        prop_assert_eq!(decode(Engine::Postgres, &text), written);
    }

    #[test]
    fn tokens_are_written_as_they_were_read(text in spelled(), bytes: Vec<u8>, number: u64, any: String) {
        for engine in ENGINES {
            for text in [token(&text), token(&bytes), token(number.to_le_bytes()), any.clone()] {
                if let Ok(revision) = SnapTokens::new(engine).decode(&text) {
                    prop_assert_eq!(encode(engine, &revision), Some(text.clone()));
                }
                let _ = SnapTokens::new(engine).canonical(&text);
            }
        }
    }
}
