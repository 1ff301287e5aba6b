//! Tokens that the layer could not use, by reason.

use crate::cache::Refusal;
use crate::protocol::Rejection;
use crate::token::TokenErrorKind;

/// Why a token could not be used.
pub(super) fn refusal(kind: &TokenErrorKind) -> Refusal {
    match kind {
        TokenErrorKind::Malformed(_) => Refusal::Malformed,
        TokenErrorKind::TooLong { .. } => Refusal::TooLong,
        TokenErrorKind::TooManyEntries { .. } => Refusal::TooManyEntries,
        TokenErrorKind::TooManyTokens { .. } => Refusal::TooManyTokens,
        TokenErrorKind::Foreign => Refusal::Foreign,
        TokenErrorKind::Expired => Refusal::Expired,
        TokenErrorKind::UnknownKey => Refusal::UnknownKey,
        TokenErrorKind::WrongSignature => Refusal::WrongSignature,
        TokenErrorKind::TooOld => Refusal::TooOld,
        TokenErrorKind::FromFuture => Refusal::FromFuture,
    }
}

/// Why the tokens of a rejected request could not be used, if that is why it was rejected.
pub(super) fn refusal_of(why: &Rejection) -> Option<Refusal> {
    match why {
        Rejection::BadToken(kind) => Some(refusal(kind)),
        Rejection::TokensDoNotJoin => Some(Refusal::DoNotJoin),
        _ => None,
    }
}
