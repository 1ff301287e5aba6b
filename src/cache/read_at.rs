use crate::consistency::{Consistency, Freshness};
use crate::revision::Revision;

/// The revision that the upstream is to read at.
///
/// Who asks the upstream has to handle each of these, so a match without a wildcard is right: a new kind of read is a
/// breaking change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadAt {
    /// Any: with the weakest consistency that the API has, the upstream chooses the revision.
    Any,
    /// This revision or a later one.
    AtLeast(Revision),
    /// Exactly this revision.
    Exact(Revision),
    /// Head.
    Head,
    /// What the caller itself demands, in its own words: at least this revision. The answer is stored and shared with no
    /// one.
    Unmodified(Revision),
}

impl ReadAt {
    /// The revision that the forwarded request names.
    pub fn revision(&self) -> Option<&Revision> {
        match self {
            Self::Any | Self::Head => None,
            Self::AtLeast(revision) | Self::Exact(revision) | Self::Unmodified(revision) => Some(revision),
        }
    }

    /// The consistency that says so.
    pub(crate) fn consistency(&self) -> Consistency {
        match self {
            Self::Any => Consistency::MinimizeLatency,
            Self::AtLeast(_) | Self::Unmodified(_) => Consistency::AtLeastAsFresh,
            Self::Exact(_) => Consistency::AtExactSnapshot,
            Self::Head => Consistency::FullyConsistent,
        }
    }

    /// What a request of this freshness demands itself, no more and no less. `None` where one revision can't say it:
    /// floors without one that covers all others.
    pub(crate) fn unmodified(freshness: &Freshness) -> Option<Self> {
        Some(match freshness {
            Freshness::Full
            | Freshness::AtLeast {
                head_within: Some(_), ..
            } => Self::Head,
            Freshness::Exact(revision) => Self::Exact(revision.clone()),
            Freshness::AtLeast { floors, .. } if floors.is_empty() => Self::Any,
            Freshness::AtLeast { floors, .. } => Self::Unmodified(floors.top()?.revision.clone()),
        })
    }
}
