use crate::cache::ReadAt;
use crate::protocol::call::Call;
use crate::token::Zookie;

/// The text in place of a token in the reply to a write that changed nothing.
pub(super) const NOTHING_WRITTEN: &str = "noop";

/// The snap token that a forwarded message needs for an answer at `at`. `zookie` spells the revision that `at` names,
/// if it names one. Without a token Permify reads at head.
///
/// If the layer has no revision that is fresh enough, it forwards the message unmodified. A message without a token
/// then asks for head. The token of a carrier must not be added to it: Permify would read exactly there, which is older
/// than head.
pub(super) fn asked<'a>(call: &Call, at: &ReadAt, zookie: Option<&'a Zookie>) -> Option<&'a Zookie> {
    match at {
        ReadAt::Any | ReadAt::Head => None,
        ReadAt::AtLeast(_) | ReadAt::Exact(_) => zookie,
        ReadAt::Unmodified(_) => zookie.filter(|_| call.token.is_some()),
    }
}

/// Whether a call's message has exactly this token.
pub(super) fn is_stated_by(zookie: Option<&Zookie>, call: &Call) -> bool {
    call.token.as_deref() == zookie.map(|zookie| zookie.as_str().as_bytes())
}
