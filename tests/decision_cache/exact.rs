use tower_zookie::cache::{Capabilities, Miss, ReadAt};
use tower_zookie::consistency::Freshness;

use crate::support::{Bench, advance, at, floor, no, secs, settings, yes};

fn exactly(n: u64) -> Freshness {
    Freshness::Exact(at(n))
}

#[tokio::test(start_paused = true)]
async fn rule_02_an_exact_read_takes_only_what_holds_at_its_snapshot() {
    let mut bench = Bench::new();
    bench.fill(at(5)).await;
    bench.hit(&exactly(5)).await;
    let checked = bench.miss(&exactly(4), ReadAt::Exact(at(4)), no(at(4))).await;
    assert_eq!((checked.miss, checked.stored), (Some(Miss::Exact), true));
    assert!(!bench.hit(&exactly(4)).await.value);
    assert!(bench.hit(&exactly(5)).await.value);
}

#[tokio::test(start_paused = true)]
async fn rule_02_an_exact_read_is_never_asked_at_the_windows_revision() {
    let mut bench = Bench::new();
    bench.cache.wrote(&at(3));
    bench.fill(at(5)).await;
    bench.question = bench.another_question("in the same window");
    assert_eq!(bench.would_ask(&floor(3)).await, ReadAt::AtLeast(at(5)));
    assert_eq!(bench.would_ask(&exactly(3)).await, ReadAt::Exact(at(3)));
}

#[tokio::test(start_paused = true)]
async fn rule_02_exact_reads_join_only_flights_at_their_snapshot() {
    let mut bench = Bench::new();
    bench.cache.wrote(&at(5));
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
async fn rule_02_a_reply_that_names_another_snapshot_is_kept_by_nobody() {
    let mut bench = Bench::new();
    bench.cache.wrote(&at(5));
    let checked = bench.miss(&exactly(3), ReadAt::Exact(at(3)), no(at(4))).await;
    assert_eq!((checked.stored, checked.revision), (false, None));
    assert_eq!(bench.would_ask(&exactly(3)).await, ReadAt::Exact(at(3)));
    assert_eq!(bench.would_ask(&exactly(4)).await, ReadAt::Exact(at(4)));
}

#[tokio::test(start_paused = true)]
async fn rule_02_exact_answers_that_are_not_repeatable_are_neither_kept_nor_shared() {
    let capabilities = Capabilities {
        repeatable_exact: false,
        ..Capabilities::versioned()
    };
    let mut bench = Bench::with(settings(), capabilities);
    bench.cache.wrote(&at(5));
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
async fn rule_04_exact_answers_outlive_the_age_bound_and_have_no_age_to_serve_others() {
    let mut bench = Bench::new();
    bench.cache.wrote(&at(5));
    bench.miss(&exactly(5), ReadAt::Exact(at(5)), no(at(5))).await;
    assert_eq!(bench.would_ask(&Freshness::any()).await, ReadAt::Any);
    assert_eq!(bench.would_ask(&floor(5)).await, ReadAt::AtLeast(at(5)));
    advance(secs(30)).await;
    bench.hit(&exactly(5)).await;
    advance(secs(30)).await;
    assert!(matches!(bench.would_ask(&exactly(5)).await, ReadAt::Exact(_)));
}

#[tokio::test(start_paused = true)]
async fn rule_04_an_exact_answer_at_the_windows_revision_is_as_old_as_the_window() {
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
async fn rule_06_an_exact_answer_never_replaces_the_newest() {
    let mut bench = Bench::new();
    bench.fill(at(5)).await;
    bench.cache.wrote(&at(9));
    bench.miss(&exactly(9), ReadAt::Exact(at(9)), no(at(9))).await;
    bench.miss(&exactly(3), ReadAt::Exact(at(3)), no(at(3))).await;
    assert_eq!(bench.hit(&Freshness::any()).await.revision, Some(at(5)));
}

#[tokio::test(start_paused = true)]
async fn rule_08_an_exact_read_at_an_unproven_revision_is_kept_and_joined_by_nobody() {
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
