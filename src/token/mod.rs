//! Tokens: the formats of each system, and the carriers in which tokens travel.
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
mod format;
mod inferadb;
mod memo;
mod opaque;
mod order;
pub mod permify;
mod readers;
mod side_by_side;
mod signed;
pub mod spicedb;
mod zookie;

pub use carrier::{Carrier, Carriers, InvalidCarrier, SameSite, Source};
pub use counter::CounterTokens;
pub use error::{TokenError, TokenErrorKind};
pub use format::TokenFormat;
pub use inferadb::{InferaDb, InvalidToken, RevisionToken};
pub use opaque::OpaqueTokens;
pub use order::{Comparison, compare, join};
pub use readers::readers;
pub use signed::{KeyId, Signing, SigningKey, Unverified, Verified};
pub use zookie::Zookie;

pub(crate) use carrier::{Outline, parameters};
pub(crate) use memo::{Sent, Token, TokenMemo};
pub(crate) use side_by_side::SideBySide;
pub(crate) use signed::{holds_envelope, is_enveloped, may_hold_envelope, token_within, unix_seconds};
