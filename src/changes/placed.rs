use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::changes::concern::{Asked, Concern, MOST_REMEMBERED};
use crate::changes::era::Era;
use crate::changes::place::Place;
use crate::changes::question::{Question, Verdict};
use crate::changes::stamps::Slot;
use crate::revision::Revision;

/// No change has this number.
const NEVER: u64 = u64::MAX;

/// Where an answer stands among the changes of a feed, and which of them concern it.
#[derive(Debug)]
pub(crate) struct Placed {
    era: Arc<Era>,
    place: Arc<Place>,
    concern: Concern,
    /// What does not change with the clock, and is understood, can be known to stay true.
    may_extend: bool,
    /// No change up to this number that the answer does not see concerns it.
    examined: AtomicU64,
}

/// What the feed says of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Examined {
    /// No change that was reported concerns it.
    Stays,
    /// One may concern it.
    Ended,
    /// The feed says nothing.
    Unknown,
}

/// Walks once, as early as the walk can see all that the answer at `place` has seen.
fn walk(asked: &Asked, era: &Era, place: &Place, position: u64) {
    if asked.walked.get().is_none() && era.is_structure_ready() && era.covers(&place.revision) {
        let walked = || era.walk(asked, position).filter(|slots| slots.len() <= MOST_REMEMBERED);
        asked.walked.get_or_init(walked);
    }
}

/// Whether the structure shows that no change after `position` concerns the question, though its stamps left that open.
fn is_spared(asked: &Asked, era: &Era, position: u64) -> bool {
    let is_unchanged = |slots: &[Slot]| slots.iter().all(|slot| era.stamps.at(*slot) <= position);
    match asked.walked.get() {
        Some(Some(slots)) => is_unchanged(slots),
        _ => era.walk(asked, position).is_some_and(|slots| is_unchanged(&slots)),
    }
}

impl Placed {
    /// Where an answer at `revision` to `question` stands. `None` if the revision lacks what came before the feed.
    pub(crate) fn at(
        era: &Arc<Era>,
        revision: &Revision,
        question: Option<&Question>,
        verdict: Verdict,
    ) -> Option<Self> {
        let place = era.place(revision)?;
        let (concern, may_extend) = era.concern(question, verdict);
        Some(Self::new(Arc::clone(era), place, concern, may_extend))
    }

    fn new(era: Arc<Era>, place: Arc<Place>, concern: Concern, may_extend: bool) -> Self {
        if let Concern::These { asked: Some(asked), .. } = &concern {
            walk(asked, &era, &place, era.position(&place, era.latest()));
        }
        Self {
            era,
            place,
            concern,
            may_extend,
            examined: AtomicU64::new(NEVER),
        }
    }

    /// What the feed says of the answer, where the store's history is still this one. Without a change since the last
    /// examination it is two comparisons.
    pub(crate) fn examine(&self, history: u64) -> Examined {
        let era = &*self.era;
        if !era.is_of(history) {
            return Examined::Unknown;
        }
        // Read before the stamps: changes that arrive in between are looked at again.
        let latest = era.latest();
        if self.examined.load(Ordering::Acquire) == latest {
            return Examined::Stays;
        }
        let position = era.position(&self.place, latest);
        if latest > position {
            if era.concerns_all() > position {
                return Examined::Ended;
            }
            match &self.concern {
                Concern::Every => return Examined::Ended,
                Concern::Unknown => return Examined::Unknown,
                // The slots are those of an older schema, or of a newer one than the answer saw.
                Concern::These { schema, .. } if era.schema() != *schema => return Examined::Unknown,
                Concern::These { slots, asked, .. } => {
                    if let Some(asked) = asked {
                        walk(asked, era, &self.place, position);
                    }
                    let is_open = slots.iter().any(|slot| era.stamps.at(*slot) > position);
                    let is_spared = || asked.as_ref().is_some_and(|asked| is_spared(asked, era, position));
                    if is_open && !is_spared() {
                        return Examined::Ended;
                    }
                    // The walk may have gone by a newer schema, or by what leads on since a change that can't be told.
                    if era.concerns_all() > position {
                        return Examined::Ended;
                    }
                }
            }
        }
        self.examined.store(latest, Ordering::Release);
        Examined::Stays
    }

    /// The frontier of the feed.
    pub(crate) fn frontier(&self) -> Revision {
        self.era.frontier()
    }

    /// The frontier, if the answer is known to be true from its own revision through there.
    pub(crate) fn through(&self, history: u64) -> Option<Revision> {
        if !self.may_extend || !self.era.is_complete || !self.era.is_of(history) {
            return None;
        }
        self.through_frontier(self.era.frontier(), history)
    }

    /// `frontier`, if the answer is known to be true through there. It was read before the stamps are, which therefore hold
    /// every change that a reader there sees.
    pub(super) fn through_frontier(&self, frontier: Revision, history: u64) -> Option<Revision> {
        let stays = self.examine(history) == Examined::Stays;
        (stays && frontier >= self.place.revision).then_some(frontier)
    }

    /// Whether the answer stays true until a change that is told apart concerns it.
    pub(crate) fn stays_until_changed(&self) -> bool {
        self.may_extend && self.era.is_complete
    }

    /// How many bytes it takes beside its own size.
    pub(crate) fn heap_bytes(&self) -> usize {
        match &self.concern {
            Concern::These { slots, asked, .. } => {
                size_of_val(&**slots) + asked.as_ref().map_or(0, |asked| asked.heap_bytes())
            }
            Concern::Every | Concern::Unknown => 0,
        }
    }
}
