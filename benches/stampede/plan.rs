//! When callers arrive, with which floors, and what is written meanwhile.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::upstream::{CHECK_TAKES, FIRST_REVISION};

/// How many writes happen while callers arrive, in plans with writes.
const WRITES: usize = 10;

/// Which callers arrive, and what happens meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scene {
    /// All callers send one old token.
    OneFloor,
    /// Each caller sends the token of some write so far, and the writes go through the layer.
    MixedFloors,
    /// The same, but the writes go around the layer.
    WritesElsewhere,
    /// All callers send one old token, give up soon and ask again.
    GivingUp,
}

impl Scene {
    pub(crate) const ALL: [Self; 4] = [Self::OneFloor, Self::MixedFloors, Self::WritesElsewhere, Self::GivingUp];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OneFloor => "one floor",
            Self::MixedFloors => "mixed floors",
            Self::WritesElsewhere => "mixed floors, written elsewhere",
            Self::GivingUp => "giving up after 5 ms",
        }
    }

    pub(crate) fn has_writes(self) -> bool {
        matches!(self, Self::MixedFloors | Self::WritesElsewhere)
    }

    /// How long new callers arrive: while the first one's upstream call is under way. Where floors move, twice as long,
    /// so that later callers also find its answer.
    fn span(self) -> Duration {
        if self.has_writes() {
            2 * CHECK_TAKES
        } else {
            CHECK_TAKES
        }
    }
}

/// A run in whole milliseconds, because timers know no finer instants: the same one for every row.
pub(crate) struct Plan {
    pub(crate) callers: Vec<Caller>,
    pub(crate) writes: Vec<Duration>,
}

#[derive(Clone, Copy)]
pub(crate) struct Caller {
    pub(crate) arrives: Duration,
    pub(crate) floor: u64,
}

impl Plan {
    pub(crate) fn new(scene: Scene, callers: usize, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let span = scene.span().as_millis() as u64;
        let mut instant = || rng.random_range(0..span);
        let mut arrivals: Vec<_> = (0..callers).map(|_| instant()).collect();
        arrivals.sort_unstable();
        let writes = if scene.has_writes() { WRITES } else { 0 };
        let mut writes: Vec<_> = (0..writes).map(|_| instant()).collect();
        writes.sort_unstable();
        let callers = arrivals.into_iter().map(|arrives| {
            let known = writes.iter().filter(|written| **written < arrives).count() as u64;
            Caller {
                arrives: Duration::from_millis(arrives),
                floor: FIRST_REVISION + rng.random_range(0..=known),
            }
        });
        Self {
            callers: callers.collect(),
            writes: writes.iter().copied().map(Duration::from_millis).collect(),
        }
    }
}
