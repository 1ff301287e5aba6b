//! Whole histories: overlapping writes, through the layer and around it, and reads with tokens of any age and kind.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tower_zookie_testing::model::{Tally, each};

use crate::adversary::{FORGERIES, OTHER_CLASSES};
use crate::bypass::BYPASSES;
use crate::judge::Judge;
use crate::world::{Learns, Step, World, step};

pub(crate) const ADVERSARY: &str = "adversary: all requests";
pub(crate) const HONEST: &str = "honest: all requests";

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
        let (sums, tally) = (Cell::new((0, 0)), Arc::new(Tally::default()));
        let histories = (0..30_u64, prop::collection::vec(step(), 1..120));
        each(&format!("{learns:?}"), 128, &histories, async |(latency, steps)| {
            let (all, from_memory) = live(learns, latency, &steps, &tally).await?;
            let sum = sums.get();
            sums.set((sum.0 + all, sum.1 + from_memory));
            Ok(())
        });
        let (all, from_memory) = sums.get();
        assert!(from_memory * 10 > all, "{learns:?}: {from_memory} of {all} from memory");
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
    tally.assert_all(classes.chain(others).chain(bypasses));
    let (adversary, honest) = (tally.count(ADVERSARY), tally.count(HONEST));
    assert!(adversary * 9 >= honest, "{adversary} beside {honest} of honest callers");
}
