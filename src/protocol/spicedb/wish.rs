use crate::cache::ReadAt;
use crate::consistency::Consistency;
use crate::protocol::call::Call;
use crate::token::Zookie;

/// What a forwarded message is to say of how fresh its answer must be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish<'a> {
    pub(super) consistency: Consistency,
    /// There where the consistency names a revision.
    pub(super) zookie: Option<&'a Zookie>,
}

impl<'a> Wish<'a> {
    /// The wish to ask at `at`, which `zookie` spells where it names a revision. Only a head is sure to cover a revision
    /// that no token spells.
    pub(super) fn of(at: &ReadAt, zookie: Option<&'a Zookie>) -> Self {
        let (consistency, zookie) = match (at, zookie) {
            (ReadAt::Any, _) => (Consistency::MinimizeLatency, None),
            (ReadAt::AtLeast(_) | ReadAt::Unmodified(_), Some(_)) => (Consistency::AtLeastAsFresh, zookie),
            (ReadAt::Exact(_), Some(_)) => (Consistency::AtExactSnapshot, zookie),
            (ReadAt::Head, _) | (_, None) => (Consistency::FullyConsistent, None),
        };
        Self { consistency, zookie }
    }

    /// Whether a call's message says just that. Without a consistency SpiceDB minimizes latency.
    pub(super) fn is_stated_by(&self, call: &Call) -> bool {
        call.consistency.unwrap_or(Consistency::MinimizeLatency) == self.consistency
            && call.token.as_deref() == self.zookie.map(|zookie| zookie.as_str().as_bytes())
    }
}
