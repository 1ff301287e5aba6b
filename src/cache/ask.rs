use crate::consistency::Freshness;
use crate::revision::Revision;

/// What the upstream is asked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// With the weakest wish that the API has: the upstream chooses the revision.
    Unasked,
    /// At this revision or later.
    AtLeast(Revision),
    /// At exactly this revision.
    Exact(Revision),
    /// At head.
    Full,
    /// As the caller has it: with a floor that nobody has proven, or that nothing fresh enough covers. The answer is kept by
    /// nobody.
    AsItCame(Revision),
}

impl Ask {
    /// The revision that the forwarded request names.
    pub fn told(&self) -> Option<&Revision> {
        match self {
            Self::Unasked | Self::Full => None,
            Self::AtLeast(revision) | Self::Exact(revision) | Self::AsItCame(revision) => Some(revision),
        }
    }

    /// What a request of this freshness demands itself, no more and no less.
    pub(crate) fn as_it_came(freshness: &Freshness) -> Self {
        match freshness {
            Freshness::Full
            | Freshness::AtLeast {
                head_within: Some(_), ..
            } => Self::Full,
            Freshness::Exact(revision) => Self::Exact(revision.clone()),
            Freshness::AtLeast { floor: None, .. } => Self::Unasked,
            Freshness::AtLeast { floor: Some(floor), .. } => Self::AsItCame(floor.revision.clone()),
        }
    }
}
