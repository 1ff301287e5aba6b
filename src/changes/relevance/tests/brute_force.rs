use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::index::sample;

use crate::changes::relevance::Rules;
use crate::changes::relevance::tests::model::{State, World, random_worlds};
use crate::changes::relevance::tests::selectivity::{self, Selectivity};
use crate::changes::relevance::tests::{concerns, effort, verdict};
use crate::changes::{Change, Effect};
use crate::schema::Schema;

/// Tries some changes of one relationship, and every question. Returns how many pairs these are.
fn try_changes(world: &World, rng: &mut StdRng, mut state: State, counts: &mut Selectivity) -> u64 {
    let rules = Rules::new(&Schema::read(&world.text).unwrap());
    let questions = world.questions();
    let before = world.solve(&state);
    let changed = sample(rng, world.tuples.len(), world.tuples.len().min(20));
    let pairs = questions.len() * changed.len();
    for number in changed {
        let tuple = &world.tuples[number];
        let existed = state[number];
        state[number] = !existed;
        let after = world.solve(&state);
        state[number] = existed;
        let change = Change {
            effect: if existed { Effect::Removed } else { Effect::Added },
            ..tuple.change.clone()
        };
        for (place, subject, question) in &questions {
            let [was, is] = [&before, &after].map(|solution| solution[*place] >> subject & 1 == 1);
            // Most pairs are like each other, so that some are enough to count.
            if was == is && !rng.random_ratio(1, 100) {
                continue;
            }
            let reach = rules.reach(&question.resource.kind, &question.permission).unwrap();
            if was == is {
                selectivity::count(counts, &reach, &change, question, was);
            } else {
                let concerned = concerns(&reach, &change, false, question, verdict(was));
                assert!(concerned, "{change:?} alters {question:?} from {was}\n{}", world.text);
            }
        }
    }
    pairs as u64
}

#[test]
fn a_change_that_alters_an_answer_concerns_it() {
    let wanted = effort(2_000_000);
    let (mut tried, mut counts) = (0, Selectivity::default());
    for (world, mut rng) in random_worlds(1) {
        for _ in 0..2 {
            let state = world.random_state(&mut rng);
            tried += try_changes(&world, &mut rng, state, &mut counts);
        }
        if tried >= wanted {
            break;
        }
    }
    println!("random schemas, {tried} pairs: {counts}");
    let (by_relation, with_sign) = (counts.by_relation(), counts.with_sign());
    assert!(
        with_sign < 0.2 && with_sign < 0.5 * by_relation,
        "the rule is not selective"
    );
}
