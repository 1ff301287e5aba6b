use std::fmt;

use crate::revision::Revision;
use crate::token::error::TokenError;
use crate::token::zookie::Zookie;

/// How one authorization system spells revisions.
///
/// A format defines the revisions of its tokens: their store, and the [`Point`](crate::revision::Point) that orders
/// them. Tokens are never compared as text.
pub trait TokenFormat: fmt::Debug + Send + Sync + 'static {
    /// The revision that `text` names.
    ///
    /// # Errors
    ///
    /// [`Malformed`](crate::token::TokenErrorKind::Malformed), [`TooLong`](crate::token::TokenErrorKind::TooLong) or
    /// [`TooManyEntries`](crate::token::TokenErrorKind::TooManyEntries). A format of one store also returns
    /// [`Foreign`](crate::token::TokenErrorKind::Foreign).
    fn decode(&self, text: &str) -> Result<Revision, TokenError>;

    /// Whether a token that [`decode`](Self::decode) reads has more than a revision, and the rest also changes the
    /// answer. An example is the hash of a schema. The layer forwards such a token unmodified, and does not share the
    /// answer.
    fn has_more_than_revision(&self, text: &str) -> bool {
        let _ = text;
        false
    }

    /// A token that names `revision`, or `None` if this format has no such token.
    fn encode(&self, revision: &Revision) -> Option<Zookie>;
}
