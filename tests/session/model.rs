//! Random tokens in random orders, against a model that remembers all of them.

use proptest::prelude::*;
use tower_zookie::ByteSize;
use tower_zookie::consistency::Freshness;
use tower_zookie::revision::{PermifySnapshot, PostgresSnapshot, Revision, StoreId, VectorClock};
use tower_zookie::session::Session;
use tower_zookie::token::permify::{self, SnapTokens};
use tower_zookie::token::spicedb::{self, ZedTokens};
use tower_zookie::token::{CounterTokens, InferaDb, OpaqueTokens, RevisionToken, TokenFormat};

/// A token, and whether it is a write's.
type Absorbed = (String, bool);

/// Takes the tokens into a session, and compares it with the model after each one.
fn check<F: TokenFormat + Clone>(format: &F, absorbed: &[Absorbed]) -> Session {
    let session = Session::new(format.clone());
    let mut all: Vec<Revision> = Vec::new();
    for (text, written) in absorbed {
        match written {
            true => session.absorb_written(text).unwrap(),
            false => session.absorb(text).unwrap(),
        }
        all.push(format.decode(text).unwrap());
        assert_holds(format, &session, &all);
    }
    session
}

/// The session demands all that the tokens demand, with the fewest tokens, or full consistency.
fn assert_holds(format: &impl TokenFormat, session: &Session, all: &[Revision]) {
    let tokens = session.tokens();
    let held: Vec<Revision> = tokens
        .iter()
        .map(|token| format.decode(token.as_str()).unwrap())
        .collect();
    assert!(held.len() <= 8);
    for (nth, one) in held.iter().enumerate() {
        assert!(
            held[nth + 1..].iter().all(|other| one.join(other).is_none()),
            "{held:?}"
        );
    }
    if matches!(session.freshness(), Freshness::Full) {
        return;
    }
    for revision in all {
        assert!(
            held.iter().any(|held| held >= revision),
            "{revision:?} is not in {held:?}"
        );
    }
    let joined = all
        .iter()
        .skip(1)
        .try_fold(all[0].clone(), |joined, next| joined.join(next));
    if let Some(joined) = joined {
        assert_eq!(held, [joined]);
    }
}

/// The same tokens from three threads at once.
fn check_at_once<F: TokenFormat + Clone>(format: &F, absorbed: &[Absorbed]) {
    let session = Session::new(format.clone());
    std::thread::scope(|scope| {
        for first in 0..3 {
            let session = &session;
            scope.spawn(move || {
                for (text, _) in absorbed.iter().skip(first).step_by(3) {
                    session.absorb(text).unwrap();
                }
            });
        }
    });
    let all: Vec<Revision> = absorbed.iter().map(|(text, _)| format.decode(text).unwrap()).collect();
    assert_holds(format, &session, &all);
}

fn postgres() -> (ZedTokens, impl Fn(u64, u64, Vec<u64>) -> String) {
    let format = ZedTokens::new(spicedb::Engine::Postgres);
    let store = StoreId::new(["spicedb", "postgres", "6349aaf2"]);
    let encode = format.clone();
    (format, move |xmin, span, in_progress| {
        let ids = in_progress
            .into_iter()
            .map(|id| xmin + id % span.max(1))
            .filter(|_| span > 0);
        let snapshot = PostgresSnapshot::new(xmin, xmin + span, ids).unwrap();
        encode
            .encode(&Revision::new(store.clone(), snapshot))
            .unwrap()
            .to_string()
    })
}

fn permify() -> (SnapTokens, impl Fn(u64, u64) -> String) {
    let format = SnapTokens::new(permify::Engine::Postgres);
    let encode = format.clone();
    (format, move |xid, before| {
        let snapshot = PermifySnapshot::new(xid, xid - before, xid + 1, [xid - before]).unwrap();
        let revision = Revision::new(StoreId::new(["permify", "postgres"]), snapshot);
        encode.encode(&revision).unwrap().to_string()
    })
}

proptest! {
    #[test]
    fn rule_06_a_session_of_a_total_order_never_goes_back(
        numbers in prop::collection::vec((0u64..50, any::<bool>()), 1..40),
    ) {
        let absorbed: Vec<Absorbed> = numbers.iter().map(|(number, written)| (number.to_string(), *written)).collect();
        let session = check(&CounterTokens::new("a"), &absorbed);
        let greatest = numbers.iter().map(|(number, _)| number).max().unwrap();
        prop_assert_eq!(session.tokens()[0].to_string(), greatest.to_string());
        check_at_once(&CounterTokens::new("a"), &absorbed);
    }

    #[test]
    fn rule_06_a_session_of_snapshots_never_goes_back(
        snapshots in prop::collection::vec((800u64..810, 0u64..8, prop::collection::vec(0u64..8, 0..4), any::<bool>()), 1..30),
    ) {
        let (format, encode) = postgres();
        let spell = |(xmin, span, ids, written): &(u64, u64, Vec<u64>, bool)| (encode(*xmin, *span, ids.clone()), *written);
        let absorbed: Vec<Absorbed> = snapshots.iter().map(spell).collect();
        let session = check(&format, &absorbed);
        prop_assert_eq!(session.tokens().len(), 1);
        prop_assert!(!matches!(session.freshness(), Freshness::Full));
        check_at_once(&format, &absorbed);
    }

    #[test]
    fn rule_06_a_session_of_permifys_tokens_never_goes_back(
        tokens in prop::collection::vec((800u64..830, 0u64..12, any::<bool>()), 1..40),
    ) {
        let (format, encode) = permify();
        let absorbed: Vec<Absorbed> = tokens.iter().map(|(xid, before, written)| (encode(*xid, *before), *written)).collect();
        check(&format, &absorbed);
        check_at_once(&format, &absorbed);
    }

    #[test]
    fn rule_06_a_session_of_unjoinable_tokens_never_goes_back(
        texts in prop::collection::vec(("[a-l]", any::<bool>()), 1..30),
    ) {
        let session = check(&OpaqueTokens::new("a"), &texts);
        let distinct: std::collections::HashSet<_> = texts.iter().map(|(text, _)| text).collect();
        prop_assert_eq!(matches!(session.freshness(), Freshness::Full), distinct.len() > 8);
        check_at_once(&OpaqueTokens::new("a"), &texts);
    }
}

#[test]
fn rule_06_once_fully_consistent_a_session_stays_so() {
    let session = Session::new(CounterTokens::new("a"));
    session.ask_fully_consistent();
    session.absorb("9").unwrap();
    assert!(matches!(session.freshness(), Freshness::Full));
    assert_eq!(session.tokens()[0].as_str(), "9");
}

#[test]
fn rule_06_a_join_too_long_to_be_sent_stays_two_tokens() {
    let format = InferaDb::cluster("a").max_len(ByteSize::kibi(16));
    let store = format
        .decode(&RevisionToken::new("a", 1).encode())
        .unwrap()
        .store()
        .clone();
    let clock = |first: u64| {
        let clock: VectorClock = (first..first + 30).map(|node| (format!("{node:060}"), 7)).collect();
        format.encode(&Revision::new(store.clone(), clock)).unwrap().to_string()
    };
    let (one, other) = (clock(100), clock(200));
    assert!(
        one.len() < 4 << 10 && one.len() + other.len() > 4 << 10,
        "{}",
        one.len()
    );
    let session = Session::new(format.clone());
    session.absorb(&one).unwrap();
    session.absorb(&other).unwrap();
    let tokens: Vec<String> = session.tokens().iter().map(ToString::to_string).collect();
    assert_eq!(tokens, [one, other]);
}
