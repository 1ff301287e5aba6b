use crate::cache::ReadAt;
use crate::consistency::Consistency;
use crate::protocol::call::Call;
use crate::token::Zookie;

/// The freshness that a forwarded message has to state.
#[derive(Clone, Copy, Debug)]
pub(super) struct MessageConsistency<'a> {
    pub(super) consistency: Consistency,
    /// The token of the revision, if the consistency names one.
    pub(super) zookie: Option<&'a Zookie>,
}

impl<'a> MessageConsistency<'a> {
    /// The consistency that asks at `at`. `zookie` spells the revision that `at` names, if it names one. If a revision
    /// has no token, only a read at head certainly covers it.
    pub(super) fn of(at: &ReadAt, zookie: Option<&'a Zookie>) -> Self {
        let (consistency, zookie) = match (at, zookie) {
            (ReadAt::Any, _) => (Consistency::MinimizeLatency, None),
            (ReadAt::AtLeast(_) | ReadAt::Unmodified(_), Some(_)) => (Consistency::AtLeastAsFresh, zookie),
            (ReadAt::Exact(_), Some(_)) => (Consistency::AtExactSnapshot, zookie),
            (ReadAt::Head, _) | (_, None) => (Consistency::FullyConsistent, None),
        };
        Self { consistency, zookie }
    }

    /// Whether the call's message already states exactly this. Without a consistency SpiceDB minimizes latency.
    pub(super) fn is_stated_by(&self, call: &Call) -> bool {
        call.consistency.unwrap_or(Consistency::MinimizeLatency) == self.consistency
            && call.token.as_deref() == self.zookie.map(|zookie| zookie.as_str().as_bytes())
    }
}
