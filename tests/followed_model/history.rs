//! Random histories, of each engine.

use tower_zookie_testing::model::{Tally, each};

use crate::adversary;
use crate::steps::case;
use crate::store::Engine;
use crate::world::World;

fn cases(usually: u32) -> u32 {
    let set = std::env::var("FOLLOWED_MODEL_CASES").ok();
    set.map_or(usually, |cases| cases.parse().expect("a number"))
}

fn every_answer_is_true(engine: Engine) -> Tally {
    let tally = Tally::default();
    each(&format!("{engine:?}"), cases(150), &case(), async |case| {
        let mut world = World::new(engine, &case, &tally);
        for step in &case.steps {
            world.step(step).await?;
        }
        world.finish().await
    });
    adversary::assert_complete(&tally);
    let seen = [
        "hit",
        "miss",
        "hit at another revision",
        "extended",
        "changed",
        "repeated",
        "broke",
        "begun anew",
        "relationships that lead on",
    ];
    tally.assert_all(seen.map(str::to_owned));
    tally
}

#[test]
fn rule_13_every_answer_is_true_where_it_claims_on_postgres() {
    let tally = every_answer_is_true(Engine::Postgres);
    let within = ["honest", "forged"].map(|whose| format!("exact hit within a range, {whose}"));
    tally.assert_all(within);
}

#[test]
fn rule_13_every_answer_is_true_where_it_claims_on_cockroachdb() {
    every_answer_is_true(Engine::CockroachDb);
}

#[test]
fn rule_13_every_answer_is_true_where_it_claims_in_the_embedded_store() {
    every_answer_is_true(Engine::Embedded);
}
