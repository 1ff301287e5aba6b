use std::cmp::Reverse;
use std::time::Duration;

use crate::consistency::Consistency;
use crate::layer::headers::{Header, Headers};
use crate::protocol::Rejection;

/// The consistency that a request states in its header.
pub(super) fn in_header(headers: &Headers<'_>) -> Result<Option<Consistency>, Rejection> {
    let mut values = headers.values(Header::Consistency);
    let Some(value) = values.next() else { return Ok(None) };
    let parsed = value.to_str().ok().and_then(|text| text.parse().ok());
    match (parsed, values.next()) {
        (Some(consistency), None) => Ok(Some(consistency)),
        _ => Err(Rejection::UnknownConsistency),
    }
}

/// The consistency that a header and the message demand together.
pub(super) fn stricter(
    header: Option<Consistency>,
    message: Option<Consistency>,
) -> Result<Option<Consistency>, Rejection> {
    let strictness = |consistency: &Consistency| match consistency {
        Consistency::MinimizeLatency => (0, Reverse(Duration::ZERO)),
        Consistency::AtLeastAsFresh => (1, Reverse(Duration::ZERO)),
        Consistency::BoundedStaleness(bound) => (2, Reverse(*bound)),
        Consistency::AtExactSnapshot => (3, Reverse(Duration::ZERO)),
        Consistency::FullyConsistent => (4, Reverse(Duration::ZERO)),
    };
    let exact = |consistency| consistency == Some(Consistency::AtExactSnapshot);
    if exact(header) && may_exclude_a_snapshot(message) || exact(message) && may_exclude_a_snapshot(header) {
        return Err(Rejection::ContradictoryConsistency);
    }
    Ok(header.into_iter().chain(message).max_by_key(strictness))
}

/// Whether an answer at a snapshot may be too old for this consistency.
pub(super) fn may_exclude_a_snapshot(consistency: Option<Consistency>) -> bool {
    matches!(
        consistency,
        Some(Consistency::FullyConsistent | Consistency::BoundedStaleness(_))
    )
}
