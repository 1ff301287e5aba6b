use super::*;
use crate::cache::{Answer, Capabilities, Keyer, Part, Settings};
use crate::consistency::Staleness;
use crate::revision::{Counter, StoreId};

fn at(n: u64) -> Revision {
    Revision::new(StoreId::new(["test"]), Counter(n))
}

fn cache(capabilities: Capabilities) -> DecisionCache<u64> {
    let settings = Settings::default().window(std::time::Duration::from_secs(5), Staleness::percent(0));
    DecisionCache::new(settings, capabilities).unwrap()
}

impl Weigh for u64 {
    fn heap_bytes(&self) -> usize {
        0
    }
}

fn questions(n: usize) -> Vec<Fingerprint> {
    let keyer = Keyer::random();
    (0..n)
        .map(|n| keyer.question("test").text(Part::Resource, &n.to_string()).finish())
        .collect()
}

async fn fill(cache: &DecisionCache<u64>, question: Fingerprint, freshness: &Freshness, revision: u64) {
    let answer = Answer::at(revision, at(revision));
    let upstream = move |_| {
        let answer = answer.clone();
        async { Ok::<_, std::convert::Infallible>(answer) }
    };
    assert!(cache.check(question, freshness, upstream).await.unwrap().stored);
}

fn gather(cache: &DecisionCache<u64>, questions: &[Fingerprint], freshness: &Freshness, merge: Merge) -> Served<u64> {
    let now = Instant::now();
    let served = cache.gather(questions, freshness, now, merge);
    cache.count_each(questions, &served, now);
    served
}

fn values(served: &Served<u64>) -> Vec<Result<u64, Miss>> {
    let value = |found: &Result<Arc<Decision<u64>>, Miss>| found.as_ref().map(|d| d.value).map_err(|why| *why);
    served.found.iter().map(value).collect()
}

#[tokio::test(start_paused = true)]
async fn rule_16_the_most_common_revision_is_the_snapshot() {
    let (cache, asked) = (cache(Capabilities::versioned()), questions(4));
    for (question, revision) in asked.iter().zip([5, 7, 5]) {
        fill(&cache, *question, &Freshness::any(), revision).await;
    }
    let served = gather(&cache, &asked, &Freshness::any(), Merge::OneSnapshot);
    assert_eq!(values(&served), [Ok(5), Err(Miss::Apart), Ok(5), Err(Miss::First)]);
    assert_eq!((served.at.clone(), served.miss()), (Some(at(5)), Some(Miss::Apart)));
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses.of(Miss::Apart)), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn rule_16_the_newest_of_equally_common_revisions_wins() {
    let (cache, asked) = (cache(Capabilities::versioned()), questions(2));
    for (question, revision) in asked.iter().zip([5, 7]) {
        fill(&cache, *question, &Freshness::any(), revision).await;
    }
    assert_eq!(
        gather(&cache, &asked, &Freshness::any(), Merge::OneSnapshot).at,
        Some(at(7))
    );
}

#[tokio::test(start_paused = true)]
async fn rule_16_the_snapshot_covers_the_floor() {
    let (cache, asked) = (cache(Capabilities::versioned()), questions(3));
    for (question, revision) in asked.iter().zip([5, 5, 7]) {
        fill(&cache, *question, &Freshness::any(), revision).await;
    }
    let served = gather(&cache, &asked, &Freshness::at_least(at(6)), Merge::OneSnapshot);
    assert_eq!(served.at, Some(at(7)));
    assert_eq!(values(&served), [Err(Miss::Floor), Err(Miss::Floor), Ok(7)]);
}

#[tokio::test(start_paused = true)]
async fn rule_16_exact_answers_complete_a_snapshot() {
    let (cache, asked) = (cache(Capabilities::versioned()), questions(3));
    for (question, revision) in asked.iter().zip([5, 5, 7]) {
        fill(&cache, *question, &Freshness::any(), revision).await;
    }
    fill(&cache, asked[2], &Freshness::Exact(at(5)), 5).await;
    let served = gather(&cache, &asked, &Freshness::any(), Merge::OneSnapshot);
    assert_eq!((values(&served), served.at), (vec![Ok(5); 3], Some(at(5))));
    let served = gather(&cache, &asked, &Freshness::Exact(at(5)), Merge::OneSnapshot);
    assert_eq!((values(&served), served.at), (vec![Ok(5); 3], Some(at(5))));
    let served = gather(&cache, &asked, &Freshness::Exact(at(6)), Merge::OneSnapshot);
    assert_eq!((values(&served), served.at), (vec![Err(Miss::Exact); 3], None));
}

#[tokio::test(start_paused = true)]
async fn rule_04_a_bulk_is_as_young_as_one_answer() {
    let (cache, asked) = (cache(Capabilities::versioned()), questions(1));
    fill(&cache, asked[0], &Freshness::any(), 5).await;
    tokio::time::advance(std::time::Duration::from_millis(5001)).await;
    let served = gather(&cache, &asked, &Freshness::any(), Merge::OneSnapshot);
    assert_eq!((values(&served), served.at), (vec![Err(Miss::Age)], None));
}

#[tokio::test(start_paused = true)]
async fn rule_16_unrepeatable_reads_are_not_merged() {
    let capabilities = Capabilities {
        reads_repeat: false,
        ..Capabilities::versioned()
    };
    let (cache, asked) = (cache(capabilities), questions(2));
    for question in &asked {
        fill(&cache, *question, &Freshness::any(), 5).await;
    }
    for (freshness, why) in [(Freshness::any(), Miss::Apart), (Freshness::Exact(at(5)), Miss::Exact)] {
        let served = gather(&cache, &asked, &freshness, Merge::OneSnapshot);
        assert_eq!((values(&served), served.at), (vec![Err(why); 2], None));
    }
    let one = gather(&cache, &asked[..1], &Freshness::any(), Merge::OneSnapshot);
    assert_eq!((values(&one), one.at), (vec![Ok(5)], Some(at(5))));
    let mixed = gather(&cache, &asked, &Freshness::any(), Merge::Mixed);
    assert_eq!((values(&mixed), mixed.at), (vec![Ok(5); 2], Some(at(5))));
}

#[tokio::test(start_paused = true)]
async fn rule_03_a_fully_consistent_bulk_takes_nothing() {
    let (cache, asked) = (cache(Capabilities::versioned()), questions(2));
    fill(&cache, asked[0], &Freshness::any(), 5).await;
    for merge in [Merge::OneSnapshot, Merge::Mixed] {
        let served = gather(&cache, &asked, &Freshness::Full, merge);
        assert_eq!((values(&served), served.at), (vec![Err(Miss::Full); 2], None));
    }
}

#[tokio::test(start_paused = true)]
async fn rule_16_a_mixed_bulk_has_the_lowest_revision() {
    let (cache, asked) = (cache(Capabilities::versioned()), questions(3));
    for (question, revision) in asked.iter().zip([6, 5, 7]) {
        fill(&cache, *question, &Freshness::any(), revision).await;
    }
    let served = gather(&cache, &asked, &Freshness::any(), Merge::Mixed);
    assert_eq!((values(&served), served.at), (vec![Ok(6), Ok(5), Ok(7)], Some(at(5))));
}

#[test]
fn the_lowest_label_is_at_or_below_all_labels() {
    let elsewhere = Revision::new(StoreId::new(["another"]), Counter(1));
    let (five, six) = (at(5), at(6));
    for (labels, expected) in [
        (vec![], None),
        (vec![Some(&six), Some(&five), Some(&six)], Some(&five)),
        (vec![Some(&six), None], None),
        (vec![Some(&six), Some(&elsewhere), Some(&five)], None),
    ] {
        assert_eq!(lowest(labels.into_iter()).as_ref(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn rule_15_ten_thousand_items_take_one_lookup_each() {
    let (cache, asked) = (cache(Capabilities::versioned()), questions(10_000));
    for question in asked.iter().step_by(2) {
        fill(&cache, *question, &Freshness::any(), 5).await;
    }
    let served = gather(&cache, &asked, &Freshness::any(), Merge::OneSnapshot);
    assert_eq!(served.found.iter().filter(|found| found.is_ok()).count(), 5_000);
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses.of(Miss::First) - 5_000), (5_000, 5_000));
}
