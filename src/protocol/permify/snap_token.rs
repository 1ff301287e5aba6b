use crate::cache::ReadAt;
use crate::protocol::call::Call;
use crate::token::Zookie;

/// What stands for a token where a write found nothing to do.
pub(super) const NOTHING_WRITTEN: &str = "noop";

/// The snap token that a forwarded message is to bear to be answered at `at`, which `zookie` spells where it names a
/// revision. Without one Permify reads head.
///
/// What can't be asked at a fresh revision is forwarded unmodified. A message without a token asks for head then, which no carrier makes older:
/// Permify would read at just what it is told.
pub(super) fn asked<'a>(call: &Call, at: &ReadAt, zookie: Option<&'a Zookie>) -> Option<&'a Zookie> {
    match at {
        ReadAt::Any | ReadAt::Head => None,
        ReadAt::AtLeast(_) | ReadAt::Exact(_) => zookie,
        ReadAt::Unmodified(_) => zookie.filter(|_| call.token.is_some()),
    }
}

/// Whether a call's message bears just that token.
pub(super) fn is_stated_by(zookie: Option<&Zookie>, call: &Call) -> bool {
    call.token.as_deref() == zookie.map(|zookie| zookie.as_str().as_bytes())
}
