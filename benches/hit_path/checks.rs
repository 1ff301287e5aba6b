//! Which checks are asked, and how often.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rand_distr::Zipf;

/// How much more popular a check is than the next one.
const EXPONENT: f64 = 0.99;

/// One of the distinct checks.
pub(crate) struct Check {
    pub(crate) repo: String,
    pub(crate) user: String,
}

impl Check {
    /// The check of this rank.
    pub(crate) fn ranked(rank: usize) -> Self {
        Self {
            repo: format!("r{rank}"),
            user: format!("u{}", rank % 731),
        }
    }
}

/// Ranks drawn by Zipf's law, the same ones for the same seed.
pub(crate) struct Draws {
    zipf: Zipf<f64>,
    random: StdRng,
}

impl Draws {
    pub(crate) fn new(distinct: usize, seed: u64) -> Self {
        Self {
            zipf: Zipf::new(distinct as f64, EXPONENT).expect("the exponent is positive"),
            random: StdRng::seed_from_u64(seed),
        }
    }

    pub(crate) fn batch(&mut self, len: usize) -> Vec<usize> {
        (0..len).map(|_| self.random.sample(self.zipf) as usize - 1).collect()
    }
}
