mod bad;
mod numbers;
mod postgres;

use std::error::Error;

use proptest::prelude::*;

use crate::protobuf::{write_bytes, write_number};
use crate::token::spicedb::*;

const ENGINES: [Engine; 6] = [
    Engine::Memory,
    Engine::Postgres,
    Engine::CockroachDb,
    Engine::Spanner,
    Engine::MySql,
    Engine::Opaque,
];
/// The engines whose revisions are numbers.
const NUMBERED: [Engine; 4] = [Engine::Memory, Engine::CockroachDb, Engine::Spanner, Engine::MySql];
const PREFIX: &str = "6349aaf2";

fn decode(engine: Engine, text: &str) -> Revision {
    ZedTokens::new(engine)
        .decode(text)
        .unwrap_or_else(|error| panic!("{engine:?} {text:?}: {error}, {:?}", error.source()))
}

fn encode(engine: Engine, revision: &Revision) -> Option<String> {
    ZedTokens::new(engine)
        .encode(revision)
        .map(|zookie| zookie.as_str().to_owned())
}

fn rejection(engine: Engine, text: &str) -> TokenErrorKind {
    match ZedTokens::new(engine).decode(text) {
        Ok(revision) => panic!("{engine:?} {text:?}: {revision:?}"),
        Err(error) => error.kind().clone(),
    }
}

fn assert_malformed(engine: Engine, text: &str) {
    let kind = rejection(engine, text);
    assert!(
        matches!(kind, TokenErrorKind::Malformed(_)),
        "{engine:?} {text:?}: {kind:?}"
    );
}

fn store(engine: Engine, prefix: &str) -> StoreId {
    StoreId::new(["spicedb", engine.name(), prefix])
}

/// The token that SpiceDB writes for this revision.
fn token(revision: &str, prefix: &str) -> String {
    STANDARD.encode(message::write(revision, prefix))
}

/// A token with everything that SpiceDB writes, or could write, beside the revision and the prefix.
fn token_with_more(revision: &str, prefix: &str) -> String {
    let mut inner = Vec::new();
    write_bytes(&mut inner, 3, b"deadbeefcafebabe");
    write_bytes(&mut inner, 2, prefix.as_bytes());
    write_number(&mut inner, 9, 7);
    write_bytes(&mut inner, 1, revision.as_bytes());
    let mut outer = Vec::new();
    write_number(&mut outer, 1, 2);
    write_bytes(&mut outer, 3, &inner);
    write_bytes(&mut outer, 77, b"unknown");
    STANDARD.encode(outer)
}

fn time(nanos: i64, logical: u32) -> HybridTime {
    HybridTime { nanos, logical }
}

/// The test vectors of one revision each, for any engine.
const VECTORS: [(&str, &str, &str); 14] = [
    ("CAESAA==", "0", ""),
    ("CAESAggB", "1", ""),
    ("CAESAggC", "2", ""),
    ("CAESAwiAAg==", "256", ""),
    ("CAIaAwoBMA==", "0", ""),
    ("CAIaAwoBMQ==", "1", ""),
    ("CAIaAwoBNA==", "4", ""),
    ("Gg4KAjQyEghzb21ldW5pcQ==", "42", "someuniq"),
    ("CAIaFQoTMTYyMTUzODE4OTAyODkyODAwMA==", "1621538189028928000", ""),
    (
        "GiAKHjE2OTM1NDA5NDAzNzMwNDU3MjcuMDAwMDAwMDAwMQ==",
        "1693540940373045727.0000000001",
        "",
    ),
    (
        "GioKHjE2OTM1NDA5NDAzNzMwNDU3MjcuMDAwMDAwMDAwMRIINjM0OWFhZjI=",
        "1693540940373045727.0000000001",
        PREFIX,
    ),
    ("GhUKEzE3NTE1NjYwMjUwMDAwMDAwMDA=", "1751566025000000000", ""),
    ("GiAKAjQyEghhYmNkMTIzNBoQZGVhZGJlZWZjYWZlYmFiZQ==", "42", "abcd1234"),
    ("GhgKDENBRVFBaG9CQUE9PRIINjM0OWFhZjI=", "CAEQAhoBAA==", PREFIX),
];

#[test]
fn reads_the_messages_of_all_vectors() {
    for (text, revision, prefix) in VECTORS {
        let bytes = STANDARD.decode(text).unwrap();
        let message = message::read(&bytes).unwrap();
        assert_eq!((&*message.revision, message.prefix), (revision, prefix), "{text}");
    }
}

#[test]
fn every_engine_reads_only_its_own_vectors() {
    for (text, revision, prefix) in VECTORS {
        let whole: Option<i64> = revision.parse().ok();
        let hybrid = (revision == "1693540940373045727.0000000001").then(|| time(1_693_540_940_373_045_727, 1));
        for engine in NUMBERED {
            let place = |time| Revision::new(store(engine, prefix), time);
            let expected = match engine {
                Engine::MySql => {
                    whole.map(|id| Revision::new(store(engine, prefix), TransactionId(id.cast_unsigned())))
                }
                Engine::CockroachDb => whole.map(|nanos| time(nanos, 0)).or(hybrid).map(place),
                _ => whole.map(|nanos| place(time(nanos, 0))),
            };
            match expected {
                Some(expected) => assert_eq!(decode(engine, text), expected, "{engine:?} {text}"),
                None => assert_malformed(engine, text),
            }
        }
        let opaque = Revision::new(store(Engine::Opaque, prefix), Opaque::new(text));
        assert_eq!(decode(Engine::Opaque, text), opaque);
    }
}

#[test]
fn writes_what_spicedb_writes() {
    for (engine, text) in [
        (Engine::Memory, "Gg4KAjQyEghzb21ldW5pcQ=="),
        (Engine::Spanner, "GhUKEzE3NTE1NjYwMjUwMDAwMDAwMDA="),
        (Engine::MySql, "Gg4KAjQyEghzb21ldW5pcQ=="),
        (
            Engine::CockroachDb,
            "GioKHjE2OTM1NDA5NDAzNzMwNDU3MjcuMDAwMDAwMDAwMRIINjM0OWFhZjI=",
        ),
        (Engine::Postgres, "GhgKDENBRVFBaG9CQUE9PRIINjM0OWFhZjI="),
        (Engine::Opaque, "GiAKAjQyEghhYmNkMTIzNBoQZGVhZGJlZWZjYWZlYmFiZQ=="),
    ] {
        assert_eq!(
            encode(engine, &decode(engine, text)).as_deref(),
            Some(text),
            "{engine:?}"
        );
    }
}

#[test]
fn other_fields_of_a_token_are_ignored() {
    for engine in ENGINES {
        let revision = if engine == Engine::Postgres {
            "CAEQAhoBAA=="
        } else {
            "42"
        };
        let (plain, more) = (token(revision, PREFIX), token_with_more(revision, PREFIX));
        let (plain, more) = (decode(engine, &plain), decode(engine, &more));
        assert_eq!(plain.store(), more.store());
        assert_eq!(plain == more, engine != Engine::Opaque, "{engine:?}");
    }
}

#[test]
fn an_opaque_token_covers_only_itself() {
    let (one, other) = (
        decode(Engine::Opaque, "CAIaAwoBMQ=="),
        decode(Engine::Opaque, "CAIaAwoBNA=="),
    );
    assert_eq!(one, decode(Engine::Opaque, "CAIaAwoBMQ=="));
    assert_eq!(one.partial_cmp(&other), None);
    assert_eq!(one.join(&other), None);
}

#[test]
fn tokens_of_another_datastore_never_compare() {
    for engine in ENGINES {
        let revision = if engine == Engine::Postgres {
            "CAEQAhoBAA=="
        } else {
            "42"
        };
        let [ours, theirs, unnamed] = [PREFIX, "someuniq", ""].map(|prefix| decode(engine, &token(revision, prefix)));
        for (a, b) in [(&ours, &theirs), (&ours, &unnamed), (&unnamed, &theirs)] {
            assert_ne!(a, b);
            assert_eq!(a.partial_cmp(b), None);
            assert_eq!(a.join(b), None);
            assert_ne!(a.store(), b.store());
        }
    }
}

#[test]
fn writes_only_revisions_of_its_own_engine_and_kind() {
    for written in ENGINES {
        let revision = if written == Engine::Postgres { "CAE=" } else { "42" };
        let named = decode(written, &token(revision, PREFIX));
        for engine in ENGINES {
            assert_eq!(
                encode(engine, &named).is_some(),
                engine == written,
                "{written:?} {engine:?}"
            );
        }
    }
    for engine in ENGINES {
        let placed: [fn(StoreId) -> Revision; 5] = [
            |store| Revision::new(store, time(42, 0)),
            |store| Revision::new(store, TransactionId(42)),
            |store| Revision::new(store, crate::revision::Counter(42)),
            |store| Revision::new(store, Opaque::new("42")),
            |store| Revision::new(store, PostgresSnapshot::new(42, 42, []).unwrap()),
        ];
        let written = placed
            .iter()
            .filter(|place| encode(engine, &place(store(engine, PREFIX))).is_some());
        assert_eq!(written.count(), usize::from(engine != Engine::Opaque), "{engine:?}");
        for parts in [
            &["spicedb", engine.name()][..],
            &["spicedb", engine.name(), PREFIX, ""],
            &["authzed", engine.name(), PREFIX],
            &[],
        ] {
            let store = StoreId::new(parts.iter().copied());
            assert!(
                placed
                    .iter()
                    .all(|place| encode(engine, &place(store.clone())).is_none())
            );
        }
    }
}

#[test]
fn an_opaque_revision_of_another_store_is_not_written() {
    let text = token("42", PREFIX);
    let named = |prefix| Revision::new(store(Engine::Opaque, prefix), Opaque::new(&*text));
    assert_eq!(encode(Engine::Opaque, &named(PREFIX)).as_ref(), Some(&text));
    assert_eq!(encode(Engine::Opaque, &named("someuniq")), None);
}

/// A prefix as SpiceDB writes it, or no prefix.
fn prefix() -> impl Strategy<Value = String> {
    "[0-9a-f]{8}|"
}

fn assert_round_trip(engine: Engine, revision: &Revision) -> Result<(), TestCaseError> {
    let text = encode(engine, revision).ok_or_else(|| TestCaseError::fail("not written"))?;
    prop_assert_eq!(&decode(engine, &text), revision);
    Ok(())
}
