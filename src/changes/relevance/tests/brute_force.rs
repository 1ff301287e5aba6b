use std::env;

use rand::Rng;

use crate::changes::relevance::Rules;
use crate::changes::relevance::tests::concerns;
use crate::changes::relevance::tests::model::{World, random_worlds};
use crate::changes::{Change, Effect, Verdict};
use crate::schema::Schema;

/// How many (change, question) pairs are tried: `ZOOKIE_RELEVANCE_PAIRS`, or enough for some seconds.
fn pairs(usual: u64) -> u64 {
    let set = env::var("ZOOKIE_RELEVANCE_PAIRS");
    set.map_or(usual, |count| count.parse().expect("a number"))
}

pub(super) fn verdict(holds: bool) -> Verdict {
    if holds { Verdict::Yes } else { Verdict::No }
}

/// Rules of growing precision, from "any change" to the one in use.
#[derive(Debug, Default)]
struct Counts {
    /// Pairs whose verdict the change does not alter.
    irrelevant: u64,
    let_through: [u64; 3],
}

impl Counts {
    fn add(&mut self, other: &Counts) {
        self.irrelevant += other.irrelevant;
        for (sum, one) in self.let_through.iter_mut().zip(other.let_through) {
            *sum += one;
        }
    }

    fn share(&self, rule: usize) -> f64 {
        self.let_through[rule] as f64 / self.irrelevant.max(1) as f64
    }
}

const RELATION: usize = 0;
const TUPLE: usize = 1;
const WITH_SIGN: usize = 2;

/// Tries every change of one relationship in a random state of the world, and every question.
fn try_all(world: &World, rng: &mut impl Rng, state: &[bool], sample: f64) -> (u64, Counts) {
    let rules = Rules::new(&Schema::read(&world.text).unwrap());
    let questions = world.questions();
    let (mut tried, mut counts) = (0, Counts::default());
    let mut state = state.to_vec();
    let before = world.solve(&state);
    for (number, tuple) in world.tuples.iter().enumerate() {
        let existed = state[number];
        state[number] = !existed;
        let after = world.solve(&state);
        state[number] = existed;
        let effect = if existed { Effect::Removed } else { Effect::Added };
        let change = Change {
            effect,
            ..tuple.change.clone()
        };
        for (place, subject, question) in &questions {
            tried += 1;
            let [was, is] = [&before, &after].map(|solution| solution[*place] >> subject & 1 == 1);
            if was == is && !rng.random_bool(sample) {
                continue;
            }
            let reach = rules.reach(&question.resource.kind, &question.permission).unwrap();
            let relevant = concerns(&reach, &change, false, question, verdict(was));
            if was != is {
                assert!(
                    relevant,
                    "{effect:?} {} changes {question:?} from {was}\n{}",
                    tuple.text(),
                    world.text
                );
                continue;
            }
            counts.irrelevant += 1;
            let of_relation =
                |kind: &str, relation: &str| *kind == *change.resource.kind && *relation == *change.relation;
            let by_relation = reach
                .entries
                .iter()
                .any(|entry| of_relation(&entry.kind, &entry.relation));
            let by_tuple = concerns(&reach, &change, false, question, Verdict::Unclear);
            counts.let_through[RELATION] += u64::from(by_relation);
            counts.let_through[TUPLE] += u64::from(by_tuple);
            counts.let_through[WITH_SIGN] += u64::from(relevant);
        }
    }
    (tried, counts)
}

#[test]
fn a_change_that_alters_an_answer_concerns_it() {
    let wanted = pairs(10_000_000);
    let (mut tried, mut counts) = (0, Counts::default());
    for (world, mut rng) in random_worlds(1) {
        for _ in 0..2 {
            let state = world.random_state(&mut rng);
            let (tried_here, counted) = try_all(&world, &mut rng, &state, 0.01);
            tried += tried_here;
            counts.add(&counted);
        }
        if tried >= wanted {
            break;
        }
    }
    let percent = |rule| 100.0 * counts.share(rule);
    println!(
        "{tried} pairs; of the irrelevant ones let through: relation only {:.1} %, tuple {:.1} %, with sign {:.1} %",
        percent(RELATION),
        percent(TUPLE),
        percent(WITH_SIGN)
    );
    assert!(percent(WITH_SIGN) < 12.0, "the rule is not selective: {counts:?}");
    assert!(counts.share(WITH_SIGN) < 0.8 * counts.share(RELATION), "{counts:?}");
}
