//! A small PostgreSQL and Permify: a write takes its snapshot, then its number, and commits at any time. If tokens were
//! ordered by their numbers, as Permify compares them, answers could lack what their callers have written.

mod history;

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::future::ready;

use tower_zookie::cache::{Answer, Capabilities, Checked, DecisionCache, Keyer, Settings, Weigh};
use tower_zookie::consistency::Freshness;
use tower_zookie::revision::{Counter, Revision, StoreId};
use tower_zookie_testing::permify::database::{Database, Token};
use tower_zookie_testing::wire::Recording;

fn begin(database: &mut Database, count: usize) {
    for _ in 0..count {
        database.begin();
    }
    for _ in 0..count {
        database.number(0);
    }
}

/// The eight recorded writes, begun as their tokens say; the first three have been acknowledged.
fn writes_at_once() -> (Database, Vec<Token>) {
    let mut database = Database::new(1276);
    begin(&mut database, 2);
    let mut answered: Vec<_> = [1276, 1277].map(|xid| database.commit(xid)).into();
    begin(&mut database, 5);
    answered.push(database.commit(1278));
    begin(&mut database, 1);
    (database, answered)
}

#[test]
fn the_recorded_concurrent_writes_fit_the_model() {
    let recording = Recording::load("permify/grpc-postgres");
    let replies = recording.calls.iter().filter(|call| call.case == "parallel-write");
    // A frame's head, a field's key and its length, and the token.
    let recorded = replies.map(|call| String::from_utf8(call.response.body()[7..].to_vec()).unwrap());

    let (mut database, mut tokens) = writes_at_once();
    // In the order in which the watch reported them.
    tokens.extend([1279, 1281, 1282, 1280, 1283].map(|xid| database.commit(xid)));
    let tokens = tokens.iter().map(Token::text);
    assert_eq!(tokens.collect::<BTreeSet<_>>(), recorded.collect());
}

/// An answer: the writes that it includes.
#[derive(Clone, Debug)]
struct Held(BTreeSet<u64>);

impl Weigh for Held {
    fn heap_bytes(&self) -> usize {
        0
    }
}

/// What the writer of 1280 gets from a cache that reads tokens as revisions of this kind, after the writer of 1282
/// asked the same while 1280 was in progress.
async fn late_commit(kind: fn(&Token) -> Revision) -> Checked<Held> {
    let (mut database, _) = writes_at_once();
    let cache = DecisionCache::new(Settings::default(), Capabilities::versioned()).unwrap();
    let question = Keyer::random().question("may alice view the plan?").finish();
    let ask = async |token: Token, committed: &BTreeSet<u64>| {
        cache.wrote(&kind(&token));
        let freshness = Freshness::at_least(kind(&token));
        let answer = Answer::at(Held(token.read(committed)), kind(&token));
        let upstream = move |_| ready(Ok::<_, Infallible>(answer.clone()));
        cache.check(question, &freshness, upstream).await.unwrap()
    };
    for xid in [1279, 1281] {
        database.commit(xid);
    }
    let higher = database.commit(1282);
    let first = ask(higher, &database.committed).await;
    assert!(first.stored && !first.value.0.contains(&1280));
    let lower = database.commit(1280);
    ask(lower, &database.committed).await
}

#[tokio::test(start_paused = true)]
async fn rule_01_ordering_by_number_misses_the_callers_own_write() {
    let by_number = |token: &Token| Revision::new(StoreId::new(["model"]), Counter(token.xid));
    let served = late_commit(by_number).await;
    assert!(served.is_hit() && !served.value.0.contains(&1280), "the trap");

    let served = late_commit(Token::revision).await;
    assert!(!served.is_hit() && served.value.0.contains(&1280));
}

#[test]
fn one_token_gives_two_answers_until_it_settles() {
    let (mut database, _) = writes_at_once();
    let token = database.commit(1282);
    let before = token.read(&database.committed);
    database.commit(1280);
    assert!(!before.contains(&1280) && token.read(&database.committed).contains(&1280));
    assert!(!token.revision().settles(&token.revision()));

    for xid in [1279, 1281, 1283] {
        database.commit(xid);
    }
    assert!(database.write().revision().settles(&token.revision()));
}

/// Without a token Permify reads at that of the highest number.
#[test]
fn head_may_lack_an_acknowledged_write() {
    let mut database = Database::new(1276);
    begin(&mut database, 1);
    database.write();
    begin(&mut database, 1);
    let slow = database.commit(1276);
    let head = database.commit(1278);
    assert_eq!(
        head.text(),
        "MTI3ODoxMjc2OjEyNzk6MTI3NiwxMjc4",
        "1278:1276:1279:1276,1278"
    );
    assert!(database.committed.contains(&slow.xid) && !head.read(&database.committed).contains(&slow.xid));
    assert_eq!(head.revision().partial_cmp(&slow.revision()), None);

    let next = database.write();
    assert!(next.read(&database.committed).contains(&slow.xid));
    assert!(next.revision() > slow.revision());
}
