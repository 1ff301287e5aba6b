//! `compare` and `join` on tokens that SpiceDB and Permify issue.

use tower_zookie::revision::{PostgresSnapshot, Revision, StoreId};
use tower_zookie::token::Comparison::{After, Before, Concurrent, DifferentStores, Equal};
use tower_zookie::token::permify::{self, SnapTokens};
use tower_zookie::token::spicedb::{Engine, ZedTokens};
use tower_zookie::token::{OpaqueTokens, TokenErrorKind, TokenFormat, compare, join, readers};

/// Of SpiceDB on PostgreSQL, with the snapshot `xmin:xmax:in_progress`.
fn snapshot(xmin: u64, xmax: u64, in_progress: &[u64]) -> String {
    let snapshot = PostgresSnapshot::new(xmin, xmax, in_progress.iter().copied()).unwrap();
    let revision = Revision::new(StoreId::new(["spicedb", "postgres", "6349aaf2"]), snapshot);
    ZedTokens::new(Engine::Postgres).encode(&revision).unwrap().to_string()
}

fn joined(format: &dyn TokenFormat, tokens: &[&str]) -> Vec<String> {
    let joined = join(format, tokens.iter().copied()).unwrap();
    joined.iter().map(ToString::to_string).collect()
}

#[test]
fn tokens_compare_by_their_revisions() {
    let (cockroach, memory) = (ZedTokens::new(Engine::CockroachDb), ZedTokens::new(Engine::Memory));
    let (mysql, opaque) = (ZedTokens::new(Engine::MySql), OpaqueTokens::new("a"));
    let snap = SnapTokens::new(permify::Engine::Postgres);
    let (time, same_elsewhere) = (
        "GiAKHjE2OTM1NDA5NDAzNzMwNDU3MjcuMDAwMDAwMDAwMQ==",
        "GioKHjE2OTM1NDA5NDAzNzMwNDU3MjcuMDAwMDAwMDAwMRIINjM0OWFhZjI=",
    );
    let cases: [(&dyn TokenFormat, &str, &str, _); 11] = [
        (&memory, "CAIaAwoBMQ==", "CAIaAwoBNA==", Before),
        (&memory, "CAIaAwoBNA==", "CAIaAwoBMQ==", After),
        // Two versions of the message.
        (&memory, "CAESAA==", "CAIaAwoBMA==", Equal),
        (&memory, "CAIaAwoBMQ==", "Gg4KAjQyEghzb21ldW5pcQ==", DifferentStores),
        (&cockroach, time, time, Equal),
        (&cockroach, time, same_elsewhere, DifferentStores),
        (&mysql, "CAIaAwoBMQ==", "CAIaAwoBNA==", Before),
        (&opaque, "one", "one", Equal),
        (&opaque, "one", "two", Concurrent),
        (
            &snap,
            "MTI3MzoxMjczOjEyNzQ6MTI3Mw==",
            "MTI3NDoxMjc0OjEyNzU6MTI3NA==",
            Before,
        ),
        (
            &snap,
            "MTI4MDoxMjc4OjEyODE6MTI4MA==",
            "MTI4MjoxMjc4OjEyODM6MTI4Mg==",
            Concurrent,
        ),
    ];
    for (format, one, other, expected) in cases {
        assert_eq!(compare(format, one, other).unwrap(), expected, "{one} {other}");
    }
}

#[test]
fn snapshots_compare_by_what_they_see() {
    let format = ZedTokens::new(Engine::Postgres);
    let (one, other) = (snapshot(800, 803, &[800]), snapshot(801, 803, &[801]));
    let both = snapshot(803, 803, &[]);
    for (one, other, expected) in [
        (&one, &other, Concurrent),
        (&one, &both, Before),
        (&both, &other, After),
        (&one, &one, Equal),
    ] {
        assert_eq!(compare(&format, one, other).unwrap(), expected);
    }
    assert_eq!(joined(&format, &[&one, &other]), [both.as_str()]);
    assert_eq!(joined(&format, &[&other, &both, &one]), [both]);
}

#[test]
fn a_join_keeps_what_has_none_side_by_side() {
    let memory = ZedTokens::new(Engine::Memory);
    assert_eq!(
        joined(&memory, &["CAIaAwoBMQ==", "CAIaAwoBNA==", "CAIaAwoBMA=="]),
        ["CAIaAwoBNA=="]
    );
    let elsewhere = "Gg4KAjQyEghzb21ldW5pcQ==";
    assert_eq!(
        joined(&memory, &["CAIaAwoBMQ==", elsewhere]),
        ["CAIaAwoBMQ==", elsewhere]
    );
    let snap = SnapTokens::new(permify::Engine::Postgres);
    let concurrent = ["MTI4MDoxMjc4OjEyODE6MTI4MA==", "MTI4MjoxMjc4OjEyODM6MTI4Mg=="];
    assert_eq!(joined(&snap, &concurrent), concurrent);
    assert_eq!(
        joined(&snap, &[concurrent[0], concurrent[1], "MTI3MzoxMjczOjEyNzQ6MTI3Mw=="]),
        concurrent
    );
    assert!(joined(&memory, &[]).is_empty());
}

#[test]
fn rule_09_an_unreadable_token_is_an_error() {
    let format = ZedTokens::new(Engine::Postgres);
    let readable = snapshot(800, 803, &[]);
    for bad in ["x", "", "CAIaFQoTMTYyMTUzODE4OTAyODkyODAwMC4x"] {
        let errors = [
            compare(&format, bad, &readable).unwrap_err(),
            join(&format, [&*readable, bad]).unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(error.kind(), TokenErrorKind::Malformed(_)), "{bad}");
        }
    }
}

#[test]
fn a_token_shows_which_engines_issue_it() {
    let engines = |text: &str| readers(text).into_iter().map(|(_, engine)| engine).collect::<Vec<_>>();
    assert_eq!(engines(&snapshot(800, 803, &[800])), ["postgres"]);
    assert_eq!(engines("MTI3MzoxMjczOjEyNzQ6MTI3Mw=="), ["postgres"]);
    assert!(engines("x").is_empty());
}
