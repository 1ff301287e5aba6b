use tower_zookie::cache::{Miss, ReadAt};
use tower_zookie::consistency::Freshness;

use crate::support::{Bench, advance, at, floor, no, number, pair, secs, yes};

#[tokio::test(start_paused = true)]
async fn rule_01_an_entry_below_the_floor_is_not_served() {
    let mut bench = Bench::new();
    bench.fill(at(5)).await;
    assert_eq!(bench.hit(&floor(5)).await.revision, Some(at(5)));
    bench.hit(&floor(3)).await;

    bench.wrote(&at(6));
    let checked = bench.miss(&floor(6), ReadAt::AtLeast(at(6)), no(at(6))).await;
    assert_eq!((checked.miss, checked.revision), (Some(Miss::Floor), Some(at(6))));
    assert!(!bench.hit(&Freshness::any()).await.value);
}

#[tokio::test(start_paused = true)]
async fn rule_01_an_incomparable_entry_does_not_cover() {
    let mut bench = Bench::new();
    bench.fill(pair(5, 1)).await;
    bench.wrote(&pair(1, 2));
    let both = Freshness::at_least(pair(1, 2));
    let checked = bench.miss(&both, ReadAt::AtLeast(pair(1, 2)), yes(pair(5, 2))).await;
    assert_eq!(checked.miss, Some(Miss::Floor));
    bench.hit(&Freshness::at_least(pair(5, 1))).await;
}

#[tokio::test(start_paused = true)]
async fn rule_01_another_stores_revision_does_not_cover() {
    let mut bench = Bench::new();
    bench.fill(at(5)).await;
    let both = Freshness::at_least(pair(1, 1));
    assert_eq!(bench.would_ask(&both).await, ReadAt::Head);
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_read_that_began_before_a_write_does_not_cover_it() {
    let mut bench = Bench::new();
    let late = bench.ask(&Freshness::any());
    let slow = bench.call().await;
    bench.wrote(&at(2));
    slow.answer(yes(at(1)));
    assert!(late.await.unwrap().unwrap().stored);

    bench.miss(&floor(2), ReadAt::AtLeast(at(2)), no(at(2))).await;
}

#[tokio::test(start_paused = true)]
async fn rule_01_on_mysql_the_call_must_begin_after_its_floor() {
    let mut bench = Bench::new();
    bench.fill(number(10)).await;
    advance(secs(1)).await;
    let late = Freshness::at_least(number(7));
    let checked = bench.miss(&late, ReadAt::AtLeast(number(10)), no(number(10))).await;
    assert_eq!(checked.miss, Some(Miss::Floor));
    assert!(!bench.hit(&late).await.value);
}

#[tokio::test(start_paused = true)]
async fn rule_01_on_mysql_older_flights_are_not_joined() {
    let mut bench = Bench::new();
    bench.wrote(&number(10));
    let early = bench.ask(&Freshness::at_least(number(10)));
    let flight = bench.call().await;
    advance(secs(1)).await;
    let late = bench.ask(&Freshness::at_least(number(7)));
    let own = bench.call().await;
    assert_eq!(own.ask, ReadAt::AtLeast(number(10)));
    own.answer(no(number(10)));
    flight.answer(yes(number(10)));
    assert!(early.await.unwrap().unwrap().value);
    assert!(!late.await.unwrap().unwrap().value);
}

#[tokio::test(start_paused = true)]
async fn rule_06_a_slow_answer_does_not_replace_a_newer_one() {
    let mut bench = Bench::new();
    bench.wrote(&at(2));
    let slow = bench.ask(&Freshness::any());
    let older = bench.call().await;
    advance(secs(1)).await;
    bench.miss(&floor(2), ReadAt::AtLeast(at(2)), no(at(2))).await;
    older.answer(yes(at(1)));
    slow.await.unwrap().unwrap();

    let checked = bench.hit(&Freshness::any()).await;
    assert_eq!((checked.value, checked.revision), (false, Some(at(2))));
}

#[tokio::test(start_paused = true)]
async fn rule_06_of_incomparable_answers_the_later_call_wins() {
    let mut bench = Bench::new();
    bench.wrote(&pair(0, 2));
    let slow = bench.ask(&Freshness::any());
    let earlier = bench.call().await;
    advance(secs(1)).await;
    let both = Freshness::at_least(pair(0, 2));
    bench.miss(&both, ReadAt::AtLeast(pair(0, 2)), no(pair(0, 2))).await;
    earlier.answer(yes(pair(2, 0)));
    slow.await.unwrap().unwrap();
    assert_eq!(bench.hit(&Freshness::any()).await.revision, Some(pair(0, 2)));
}

#[tokio::test(start_paused = true)]
async fn rule_06_a_session_that_sends_its_revision_never_goes_back() {
    let mut bench = Bench::new();
    bench.fill(at(5)).await;
    bench.wrote(&at(9));
    let mine = bench.miss(&floor(9), ReadAt::AtLeast(at(9)), no(at(9))).await;
    let mine = mine.revision.unwrap();
    advance(secs(6)).await;
    // Another replica of the upstream lags behind; its answer does not reach this session.
    bench.miss(&Freshness::any(), ReadAt::Any, yes(at(5))).await;
    let next = bench.hit(&Freshness::at_least(mine)).await;
    assert_eq!((next.value, next.revision), (false, Some(at(9))));
}
