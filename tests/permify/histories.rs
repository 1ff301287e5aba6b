//! Whole histories: overlapping writes, through the layer and around it, and reads with tokens of any age and kind.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::adversary::{FORGERIES, OTHER_CLASSES};
use crate::bypass::BYPASSES;
use crate::judge::Judge;
use crate::tally::{ADVERSARY, HONEST, Tally};
use crate::world::{Learns, Step, World, step};

/// How many answers there were, and how many of them came from memory.
async fn live(
    learns: Learns,
    latency: u64,
    steps: &[Step],
    tally: &Arc<Tally>,
) -> Result<(usize, usize), TestCaseError> {
    let mut world = World::new(learns, Duration::from_millis(latency), Arc::clone(tally));
    let answered = world.live(steps).await;
    let (state, passed) = (world.server.state(), world.passed.lock().unwrap());
    let judge = Judge {
        store: &state.store,
        passed: &passed,
        feeds: learns == Learns::Feed,
    };
    let (mut all, mut from_memory) = (0, 0);
    for answered in &answered {
        all += answered.asked.whats.len();
        from_memory += judge.judge(answered)?;
    }
    Ok((all, from_memory))
}

#[test]
fn rules_01_to_16_hold_in_every_history() {
    for learns in [Learns::Writes, Learns::Feed, Learns::Probes] {
        let mut runner = TestRunner::new(ProptestConfig {
            cases: 128,
            failure_persistence: None,
            ..ProptestConfig::default()
        });
        let (sums, tally) = (Cell::new((0, 0)), Arc::new(Tally::default()));
        let histories = (0..30_u64, prop::collection::vec(step(), 1..120));
        let outcome = runner.run(&histories, |(latency, steps)| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build()
                .unwrap();
            let (all, from_memory) = runtime.block_on(live(learns, latency, &steps, &tally))?;
            let sum = sums.get();
            sums.set((sum.0 + all, sum.1 + from_memory));
            Ok(())
        });
        outcome.unwrap_or_else(|failure| panic!("{learns:?}: {failure}"));
        let (all, from_memory) = sums.get();
        assert!(from_memory * 8 > all, "{learns:?}: {from_memory} of {all} from memory");
        assert_all_occurred(&tally);
    }
}

/// Each class of forgery and each bypass occurred, and the adversary sent at least a tenth of all requests.
fn assert_all_occurred(tally: &Tally) {
    let classes = FORGERIES.iter().map(|forgery| forgery.name().to_owned());
    let others = OTHER_CLASSES.iter().map(|class| (*class).to_owned());
    let who = ["honest", "adversary's"];
    let bypasses = BYPASSES
        .iter()
        .flat_map(|bypass| who.map(|who| format!("{who} {}", bypass.name())));
    let never: Vec<_> = classes
        .chain(others)
        .chain(bypasses)
        .filter(|note| tally.count(note) == 0)
        .collect();
    assert_eq!(
        never,
        Vec::<String>::new(),
        "these never occurred: the run shows nothing about them"
    );
    let (adversary, honest) = (tally.count(ADVERSARY), tally.count(HONEST));
    assert!(adversary * 9 >= honest, "{adversary} beside {honest} of honest callers");
}
