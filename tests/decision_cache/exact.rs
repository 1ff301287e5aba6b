use tower_zookie::cache::{Capabilities, Miss, ReadAt};
use tower_zookie::consistency::Freshness;

use crate::support::{Bench, advance, at, floor, no, secs, settings, yes};

fn exactly(n: u64) -> Freshness {
    Freshness::Exact(at(n))
}

#[tokio::test(start_paused = true)]
async fn rule_02_an_exact_read_takes_only_answers_at_its_snapshot() {
    let mut bench = Bench::new();
    bench.fill(at(5)).await;
    bench.hit(&exactly(5)).await;
    let checked = bench.miss(&exactly(4), ReadAt::Exact(at(4)), no(at(4))).await;
    assert_eq!((checked.miss, checked.stored), (Some(Miss::Exact), true));
    assert!(!bench.hit(&exactly(4)).await.value);
    assert!(bench.hit(&exactly(5)).await.value);
}

#[tokio::test(start_paused = true)]
async fn rule_02_exact_reads_never_use_the_window_revision() {
    let mut bench = Bench::new();
    bench.wrote(&at(3));
    bench.fill(at(5)).await;
    bench.question = bench.another_question("in the same window");
    assert_eq!(bench.would_ask(&floor(3)).await, ReadAt::AtLeast(at(5)));
    assert_eq!(bench.would_ask(&exactly(3)).await, ReadAt::Exact(at(3)));
}

#[tokio::test(start_paused = true)]
async fn rule_02_exact_reads_join_only_flights_at_their_snapshot() {
    let mut bench = Bench::new();
    for n in 3..6 {
        bench.wrote(&at(n));
    }
    let (first, same, other, any) = (
        bench.ask(&exactly(3)),
        bench.ask(&exactly(3)),
        bench.ask(&exactly(4)),
        bench.ask(&Freshness::any()),
    );
    let (three, four, unasked) = (bench.call().await, bench.call().await, bench.call().await);
    bench.expect_no_call().await;
    assert_eq!(
        [three.ask.clone(), four.ask.clone(), unasked.ask.clone()],
        [ReadAt::Exact(at(3)), ReadAt::Exact(at(4)), ReadAt::Any]
    );
    three.answer(no(at(3)));
    four.answer(yes(at(4)));
    unasked.answer(yes(at(5)));
    for (checking, revision) in [(first, 3), (same, 3), (other, 4), (any, 5)] {
        assert_eq!(checking.await.unwrap().unwrap().revision, Some(at(revision)));
    }
}

#[tokio::test(start_paused = true)]
async fn rule_02_a_reply_that_names_another_snapshot_is_not_stored() {
    let mut bench = Bench::new();
    bench.wrote(&at(5));
    let checked = bench.miss(&exactly(3), ReadAt::Exact(at(3)), no(at(4))).await;
    assert_eq!((checked.stored, checked.revision), (false, None));
    assert_eq!(bench.would_ask(&exactly(3)).await, ReadAt::Exact(at(3)));
    assert_eq!(bench.would_ask(&exactly(4)).await, ReadAt::Exact(at(4)));
}

#[tokio::test(start_paused = true)]
async fn rule_02_unrepeatable_exact_answers_are_not_shared() {
    let capabilities = Capabilities::versioned().reads_repeat(false);
    let mut bench = Bench::with(settings(), capabilities);
    bench.wrote(&at(5));
    let both = [bench.ask(&exactly(3)), bench.ask(&exactly(3))];
    for call in [bench.call().await, bench.call().await] {
        call.answer(no(at(3)));
    }
    for checking in both {
        assert!(!checking.await.unwrap().unwrap().stored);
    }
    assert_eq!(bench.would_ask(&exactly(3)).await, ReadAt::Exact(at(3)));
}

#[tokio::test(start_paused = true)]
async fn rule_04_only_exact_reads_use_an_answer_over_the_bound() {
    let mut bench = Bench::new();
    bench.cache.wrote(&at(5));
    bench.miss(&exactly(5), ReadAt::Exact(at(5)), no(at(5))).await;
    assert_eq!(bench.would_ask(&Freshness::any()).await, ReadAt::Any);
    assert_eq!(bench.would_ask(&floor(5)).await, ReadAt::Head);
    advance(secs(30)).await;
    bench.hit(&exactly(5)).await;
    advance(secs(30)).await;
    assert!(matches!(bench.would_ask(&exactly(5)).await, ReadAt::Exact(_)));
}

#[tokio::test(start_paused = true)]
async fn rule_04_an_exact_answer_is_as_old_as_its_window() {
    let mut bench = Bench::new();
    bench.fill(at(5)).await;
    bench.question = bench.another_question("of the same window");
    advance(secs(2)).await;
    bench.miss(&exactly(5), ReadAt::Exact(at(5)), no(at(5))).await;
    advance(secs(3)).await;
    bench.hit(&Freshness::any()).await;
    advance(secs(1)).await;
    assert_eq!(bench.would_ask(&Freshness::any()).await, ReadAt::Any);
}

#[tokio::test(start_paused = true)]
async fn rule_06_an_older_exact_answer_never_replaces_the_newest() {
    let mut bench = Bench::new();
    bench.fill(at(5)).await;
    bench.cache.wrote(&at(9));
    bench.miss(&exactly(3), ReadAt::Exact(at(3)), no(at(3))).await;
    bench.miss(&exactly(8), ReadAt::Exact(at(8)), no(at(8))).await;
    assert_eq!(bench.hit(&Freshness::any()).await.revision, Some(at(5)));
    bench.wrote(&at(9));
    bench.miss(&exactly(9), ReadAt::Exact(at(9)), no(at(9))).await;
    assert_eq!(
        bench.hit(&Freshness::any()).await.revision,
        Some(at(9)),
        "named and fresh"
    );
}

#[tokio::test(start_paused = true)]
async fn rule_08_exact_reads_at_unsettled_revisions_are_unshared() {
    let mut bench = Bench::new();
    bench.fill(at(5)).await;
    let both = [bench.ask(&exactly(99)), bench.ask(&exactly(99))];
    for call in [bench.call().await, bench.call().await] {
        assert_eq!(call.ask, ReadAt::Exact(at(99)));
        call.answer(no(at(99)));
    }
    for checking in both {
        let checked = checking.await.unwrap().unwrap();
        assert_eq!((checked.stored, checked.revision), (false, None));
    }
    assert_eq!(bench.would_ask(&exactly(99)).await, ReadAt::Exact(at(99)));
}
