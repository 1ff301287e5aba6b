use std::fmt;

use crate::invalid_setting::InvalidSetting;
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

    /// Checks the format's own limits, when the layer is built. By default there is nothing to check.
    ///
    /// # Errors
    ///
    /// [`InvalidSetting`] names the limit that makes no sense.
    fn validate(&self) -> Result<(), InvalidSetting> {
        Ok(())
    }

    /// Whether the service issues such a token itself, given that [`decode`](Self::decode) reads it. Formats are wider than what
    /// is issued: they keep old spellings, and one engine's number can be another one's time. A reply with a token that its
    /// service would not issue shows that another engine is upstream; the layer warns of it, and stores nothing.
    fn issues(&self, text: &str) -> bool {
        let _ = text;
        true
    }

    /// A token that names `revision`, or `None` if this format has no such token.
    fn encode(&self, revision: &Revision) -> Option<Zookie>;
}

/// Checks a format's setting `max_len`.
pub(crate) fn at_least_a_byte(max_len: usize) -> Result<(), InvalidSetting> {
    if max_len == 0 {
        let problem = "is 0 bytes, so every token would be rejected; set it to 1 byte or more";
        return Err(InvalidSetting::new("max_len", problem));
    }
    Ok(())
}
