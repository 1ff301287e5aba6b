//! The keys that sign tokens, from the environment.

use std::env;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use tower_zookie::InvalidSetting;
use tower_zookie::token::{Signing, SigningKey};

/// Why keys can't be used. It shows none of them.
#[derive(Debug, thiserror::Error)]
pub enum BadKeys {
    /// There is no such variable.
    #[error("is not set")]
    NotSet,
    /// One is no key.
    #[error("has a key that is not ID:BASE64; write each as `2027-01:` and the output of `openssl rand -base64 32`")]
    Unreadable,
    /// A key makes no sense.
    #[error("{0}")]
    Invalid(InvalidSetting),
}

/// The keys in the environment variable of this name, each as `ID:BASE64`, separated by commas: the first one signs, all are
/// accepted.
///
/// # Errors
///
/// [`BadKeys`].
pub fn signing_from(name: &str) -> Result<Signing, BadKeys> {
    let keys = env::var(name).map_err(|_| BadKeys::NotSet)?;
    let mut keys = keys.split(',').map(str::trim).map(key);
    let signs = Signing::new(keys.next().unwrap_or(Err(BadKeys::Unreadable))?);
    keys.try_fold(signs, |signing, key| Ok(signing.accept(key?)))
}

fn key(text: &str) -> Result<SigningKey, BadKeys> {
    let (id, secret) = text.split_once(':').ok_or(BadKeys::Unreadable)?;
    let alphabet = match secret.contains(['-', '_']) {
        true => alphabet::URL_SAFE,
        false => alphabet::STANDARD,
    };
    let padded_or_not = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let secret = GeneralPurpose::new(&alphabet, padded_or_not).decode(secret);
    let secret = secret.map_err(|_| BadKeys::Unreadable)?;
    SigningKey::new(id, secret).map_err(BadKeys::Invalid)
}
