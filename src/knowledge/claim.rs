use super::{CallStart, Knowledge};
use crate::cache::ReadMode;
use crate::revision::Revision;

/// Which revision an answer may claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// A revision that the store named: others may be given the answer.
    Named(Revision),
    /// A snapshot that the store has passed but never named: the answer serves exact reads at it, and nothing else.
    Settled(Revision),
    /// None: the answer is for its caller only.
    None,
}

impl Claim {
    pub(crate) fn revision(&self) -> Option<&Revision> {
        match self {
            Self::Named(revision) | Self::Settled(revision) => Some(revision),
            Self::None => None,
        }
    }
}

impl Knowledge {
    /// What an answer to a read "at least `asked`" may claim, or to one that named no revision. `replied` is the revision
    /// that the reply names.
    ///
    /// The store chose a reply's revision if it was asked at none, or if it lies above the one that it was asked at. One
    /// that only repeats what was asked for may be a client's invention.
    pub(crate) fn claim(&self, asked: Option<&Revision>, replied: Option<&Revision>, start: &CallStart) -> Claim {
        let if_named = |revision: &Revision| match self.named_before(revision, start) {
            true => Claim::Named(revision.clone()),
            false => Claim::None,
        };
        match (asked, replied) {
            (None, None) => Claim::None,
            (None, Some(replied)) => Claim::Named(replied.clone()),
            (Some(asked), None) => if_named(asked),
            (Some(asked), Some(replied)) => {
                let chosen = self.facts.read_mode == ReadMode::Current || replied > asked;
                if chosen && replied.store() == asked.store() {
                    Claim::Named(replied.clone())
                } else {
                    if_named(replied)
                }
            }
        }
    }

    /// What the answer to an exact read may claim: nothing if the reply names another snapshot.
    pub(crate) fn claim_exact(&self, asked: &Revision, replied: Option<&Revision>, start: &CallStart) -> Claim {
        if replied.is_some_and(|replied| replied != asked) {
            Claim::None
        } else if self.named_before(asked, start) {
            Claim::Named(asked.clone())
        } else if start.settles(asked) {
            Claim::Settled(asked.clone())
        } else {
            Claim::None
        }
    }
}
