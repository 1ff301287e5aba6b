//! Tokens: what a zookie says, in each system's spelling, and where it travels.
//!
//! | format | tokens of |
//! |---|---|
//! | [`spicedb::ZedTokens`] | SpiceDB, on every datastore engine |
//! | [`permify::SnapTokens`] | Permify, on both of its engines |
//! | [`InferaDb`] | InferaDB |
//! | [`CounterTokens`] | stores that number their revisions |
//! | [`OpaqueTokens`] | any store whose tokens can't be read |

mod carrier;
mod counter;
mod error;
mod inferadb;
mod memo;
mod opaque;
pub mod permify;
pub mod spicedb;
mod zookie;

use std::fmt;

use crate::revision::Revision;

pub use carrier::{Carrier, Carriers, InvalidCarrier, Source};
pub use counter::CounterTokens;
pub use error::{TokenError, TokenErrorKind};
pub use inferadb::{InferaDb, InvalidToken, RevisionToken};
pub use opaque::OpaqueTokens;
pub use zookie::Zookie;

pub(crate) use carrier::{Outline, parameters};
pub(crate) use memo::{Token, TokenMemo};

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
