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
    /// With the caller's own floor, which nobody has proven. The answer is kept by nobody.
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
}
