use std::fmt;

use crate::revision::Revision;
use crate::token::error::TokenError;
use crate::token::zookie::Zookie;

/// How one authorization system spells revisions.
///
/// A format owns its revisions: it says what store they belong to and gives out the [`Point`](crate::revision::Point)
/// that orders them. Tokens are never compared as text.
pub trait TokenFormat: fmt::Debug + Send + Sync + 'static {
    /// The revision that `text` names.
    ///
    /// # Errors
    ///
    /// [`TokenErrorKind::Malformed`], [`TokenErrorKind::TooLong`] or [`TokenErrorKind::TooManyEntries`]; a format that is
    /// bound to one store also says [`TokenErrorKind::Foreign`].
    fn decode(&self, text: &str) -> Result<Revision, TokenError>;

    /// Whether a token that [`decode`](Self::decode) reads says more than its revision, and the service answers by that too:
    /// a schema's hash, for one. Such a token is forwarded unmodified, and the answer is shared with no one.
    fn says_more(&self, text: &str) -> bool {
        let _ = text;
        false
    }

    /// A token that names `revision`, or `None` if one token of this format can't.
    fn encode(&self, revision: &Revision) -> Option<Zookie>;
}
