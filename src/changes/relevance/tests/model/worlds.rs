use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::changes::relevance::tests::model::{State, World, random_schema};

/// Worlds without an end, each with its own schema.
pub(in crate::changes::relevance::tests) fn random_worlds(seed: u64) -> impl Iterator<Item = (World, StdRng)> {
    (0..).filter_map(move |number| {
        let mut rng = StdRng::seed_from_u64(seed ^ number);
        let text = random_schema(&mut rng, true);
        let objects_of_each = rng.random_range(2..=3);
        let mut world = World::new(&text, objects_of_each)?;
        world.wildcards_include_usersets = rng.random();
        (!world.tuples.is_empty()).then_some((world, rng))
    })
}

impl World {
    /// Few or many of all relationships.
    pub(in crate::changes::relevance::tests) fn random_state(&self, rng: &mut StdRng) -> State {
        let share = rng.random_range(0.02..0.4);
        self.tuples.iter().map(|_| rng.random_bool(share)).collect()
    }
}
