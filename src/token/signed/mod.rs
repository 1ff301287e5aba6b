//! Signed tokens: an envelope around a token of any system, which proves that the store named it.

mod envelope;
mod key;
mod mac;
mod signing;
#[cfg(test)]
mod tests;
mod unverified;

pub use key::{KeyId, SigningKey};
pub use signing::{Signing, Verified};
pub use unverified::Unverified;

pub(crate) use envelope::{holds_envelope, is_enveloped, may_hold_envelope, token_within};
pub(crate) use signing::unix_seconds;
