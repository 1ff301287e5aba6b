use crate::knowledge::Knowledge;
use crate::knowledge::capabilities::ReadMode;
use crate::knowledge::start::CallStart;
use crate::revision::{Order, Revision};

/// Which revision an answer may claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// A revision that the store named: others may be given the answer.
    Named(Revision),
    /// A snapshot that the store has passed but never named: the answer serves exact reads at it, and nothing else.
    Settled(Revision),
    /// Nothing: the answer is for its caller only.
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
    /// The store chose the revision of its reply if the request named no revision, or if the reply's lies above the request's.
    /// A revision that only repeats the request's may be invented by a client.
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
                if self.chose(asked, replied, start) {
                    Claim::Named(replied.clone())
                } else {
                    if_named(replied)
                }
            }
        }
    }

    /// Whether the store chose the revision in its reply to a read "at least `asked`". In a partial order it may have joined
    /// what it was asked for with its own, so what is above an unnamed revision proves nothing.
    pub(super) fn chose(&self, asked: &Revision, replied: &Revision, start: &CallStart) -> bool {
        let above = || replied > asked && (replied.order() == Order::Total || self.named_before(asked, start));
        replied.store() == asked.store() && (self.facts.read_mode == ReadMode::Current || above())
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
