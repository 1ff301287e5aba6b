//! A usual history, with a feed and without one: how many answers the feed saves.

use tower_zookie_testing::model::{Tally, paused};

use crate::plan::{Fragment, QUESTION_COUNT};
use crate::steps::{Case, Pace, Read, Wants};
use crate::store::{Engine, Writes};
use crate::world::World;

const WRITES: usize = 300;

/// After each write, each of some questions is asked at least at the token of that write.
fn play(engine: Engine, pace: Pace, structure: usize) -> Tally {
    let tally = Tally::default();
    let case = Case {
        fragments: vec![Fragment::usual()],
        present: 0b1001,
        questions: (0..QUESTION_COUNT).collect(),
        pace,
        background_reads: true,
        opens_with_schema: true,
        stamps: 4096,
        structure,
        steps: Vec::new(),
    };
    paused(async {
        let mut world = World::new(engine, &case, &tally);
        world.pass().await.unwrap();
        for number in 0..WRITES {
            let (living, allowed) = {
                let store = &world.service.lock().store;
                (store.living(), store.allowed())
            };
            let removes = number % 2 == 1;
            let from = if removes { living } else { allowed };
            let which = from[number * 7919 % from.len()];
            world.write(Writes::Relationships(vec![(which, !removes)]), true, 0);
            world.pass().await.unwrap();
            // CockroachDB's feed says in its second report that it has reported all.
            world.pass().await.unwrap();
            for question in 0..3 {
                world.read(Read {
                    question: (number + question * 3) % QUESTION_COUNT,
                    wants: Wants::Written(0),
                    tells: true,
                });
            }
            world.pass().await.unwrap();
        }
        world.finish().await.unwrap();
    });
    tally
}

#[test]
fn rule_13_most_answers_outlive_most_changes() {
    for engine in [Engine::Postgres, Engine::CockroachDb, Engine::Embedded] {
        let rate = |tally: &Tally| tally.count("hit") * 100 / (tally.count("hit") + tally.count("miss"));
        let without = play(engine, Pace::BySteps, 0);
        assert_eq!(without.count("extended"), 0, "{engine:?}: the feed is silent");
        let [with, with_structure] = [0, 100].map(|structure| play(engine, Pace::AtOnce, structure));
        let rates = [&without, &with, &with_structure].map(rate);
        println!(
            "{engine:?} {rates:?} {} {}",
            with.count("changed"),
            with_structure.count("changed")
        );
        let least = [0, 25, 40];
        assert!(
            rates.iter().zip(least).all(|(rate, least)| *rate >= least),
            "{engine:?}: {rates:?}"
        );
        assert!(rates[0] < 10, "{engine:?}: {rates:?}");
        assert!(with_structure.count("changed") >= 50, "{engine:?}");
    }
}
