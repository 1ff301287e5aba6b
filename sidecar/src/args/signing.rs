//! Signed tokens.

use std::env;
use std::time::Duration;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use clap::Args;
use examples_common::duration;
use tower_zookie::InvalidSetting;
use tower_zookie::token::{Signing, SigningKey};

use super::BadArgument;

/// Signed tokens, which every sidecar with the key trusts.
#[derive(Clone, Debug, Args)]
pub(super) struct ForSigning {
    /// The environment variable that holds the keys that sign tokens, each as ID:BASE64, separated by commas: the first one
    /// signs, all are accepted. All sidecars before one upstream need the same. Make one with `openssl rand -base64 32`.
    #[arg(long, value_name = "NAME")]
    signing_key_env: Option<String>,
    /// What the tokens are for: where the same keys sign the tokens of several upstreams, each needs a purpose of its own.
    #[arg(long, value_name = "TEXT", default_value = "", requires = "signing_key_env")]
    signing_purpose: String,
    /// How old a signed token may be, counted from when its revision was last named. By default it may have any age.
    #[arg(long, value_name = "AGE", value_parser = duration, requires = "signing_key_env")]
    token_max_age: Option<Duration>,
    /// By how much the clocks of the sidecars may differ.
    #[arg(long, default_value = "30s", value_parser = duration, requires = "signing_key_env")]
    token_clock_skew: Duration,
}

/// Why keys can't be used. It shows none of them.
#[derive(Debug, thiserror::Error)]
pub enum BadKeys {
    #[error("is not set")]
    NotSet,
    #[error("has a key that is not ID:BASE64; write each as `2027-01:` and the output of `openssl rand -base64 32`")]
    Unreadable,
    #[error("{0}")]
    Invalid(InvalidSetting),
}

impl ForSigning {
    pub(super) fn signing(&self) -> Result<Option<Signing>, BadArgument> {
        let Some(name) = &self.signing_key_env else {
            return Ok(None);
        };
        let keys = env::var(name).map_err(|_| BadKeys::NotSet);
        let signing = keys.and_then(|keys| signing(&keys));
        let signing = signing.map_err(|source| BadArgument::SigningKeys {
            name: name.clone(),
            source,
        })?;
        let signing = signing
            .purpose(self.signing_purpose.clone())
            .clock_skew(self.token_clock_skew);
        Ok(Some(match self.token_max_age {
            Some(age) => signing.max_age(age),
            None => signing,
        }))
    }
}

fn signing(keys: &str) -> Result<Signing, BadKeys> {
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
