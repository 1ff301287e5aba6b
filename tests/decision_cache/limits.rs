use tower_zookie::ByteSize;
use tower_zookie::cache::{Answer, Capabilities, CheckError, DecisionCache, Keyer, Part, ReadAt};
use tower_zookie::consistency::Freshness;

use crate::support::{Bench, Rejected, advance, at, floor, no, secs, settings, yes};

#[tokio::test(start_paused = true)]
async fn rule_15_over_the_limit_of_flights_a_check_runs_alone() {
    let mut bench = Bench::with(settings().max_flights(2, 1), Capabilities::versioned());
    let questions = ["a", "b", "c"].map(|name| bench.another_question(name));
    let checks = questions.map(|question| bench.ask_for(question, &Freshness::any()));
    for _ in 0..3 {
        bench.call().await.answer(yes(at(1)));
    }
    let mut stored = Vec::new();
    for checking in checks {
        stored.push(checking.await.unwrap().unwrap().stored);
    }
    assert_eq!(stored, [true, true, false]);
    bench.fill(at(1)).await;
}

#[tokio::test(start_paused = true)]
async fn rule_15_over_the_limit_of_waiters_a_check_runs_alone() {
    let mut bench = Bench::with(settings().max_waiters(1), Capabilities::versioned());
    let (leader, seated) = (bench.ask(&Freshness::any()), bench.ask(&Freshness::any()));
    let flight = bench.call().await;
    bench.expect_no_call().await;
    let standing = bench.ask(&Freshness::any());
    bench.call().await.answer(no(at(2)));
    assert!(!standing.await.unwrap().unwrap().stored);
    flight.answer(yes(at(1)));
    assert!(leader.await.unwrap().unwrap().stored);
    assert!(seated.await.unwrap().unwrap().coalesced);

    advance(secs(6)).await;
    let (_leader, _seated) = (bench.ask(&Freshness::any()), bench.ask(&Freshness::any()));
    let _call = bench.call().await;
    bench.expect_no_call().await;
}

#[tokio::test(start_paused = true)]
async fn rule_15_a_check_alone_has_the_flights_deadline() {
    let mut bench = Bench::with(settings(), Capabilities::unversioned());
    let checking = bench.ask(&floor(9));
    let call = bench.call().await;
    assert!(matches!(call.ask, ReadAt::Unmodified(_)));
    advance(secs(30)).await;
    assert!(call.is_gone() && checking.is_finished());
    assert!(matches!(checking.await.unwrap(), Err(CheckError::TimedOut)));
}

#[tokio::test(start_paused = true)]
async fn rule_15_memory_is_bounded() {
    let capacity = ByteSize::kibi(64);
    let cache = DecisionCache::<bool>::new(settings().capacity(capacity), Capabilities::versioned()).unwrap();
    let keyer = Keyer::random();
    for n in 0..1000 {
        let question = keyer.question("test").text(Part::Resource, &n.to_string()).finish();
        cache
            .check(question, &Freshness::any(), |_| async {
                Ok::<_, Rejected>(Answer::at(true, at(1)))
            })
            .await
            .unwrap();
    }
    let stats = cache.stats();
    assert!(stats.entries > 10 && stats.bytes <= capacity.get(), "{stats:?}");
}
