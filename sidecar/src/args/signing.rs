//! Signed tokens.

use std::time::Duration;

use clap::Args;
use examples_common::{duration, signing_from};
use tower_zookie::token::Signing;

use super::BadArgument;

/// Signed tokens, which every sidecar with the key trusts.
#[derive(Clone, Debug, Args)]
pub(super) struct ForSigning {
    /// The environment variable that holds the keys that sign tokens, each as ID:BASE64, separated by commas: the first one
    /// signs, all are accepted. All sidecars before one upstream need the same. Make one with `openssl rand -base64 32`.
    #[arg(long, value_name = "NAME")]
    signing_key_env: Option<String>,
    /// What the tokens are for: where the same keys sign the tokens of several upstreams, each needs a purpose of its own.
    /// By default it is empty.
    #[arg(long, value_name = "TEXT", requires = "signing_key_env")]
    signing_purpose: Option<String>,
    /// How old a signed token may be, counted from when its revision was last named. By default it may have any age.
    #[arg(long, value_name = "AGE", value_parser = duration, requires = "signing_key_env")]
    token_max_age: Option<Duration>,
    /// By how much the clocks of the sidecars may differ.
    #[arg(long, default_value = "30s", value_parser = duration, requires = "signing_key_env")]
    token_clock_skew: Duration,
}

impl ForSigning {
    pub(super) fn signing(&self) -> Result<Option<Signing>, BadArgument> {
        let Some(name) = &self.signing_key_env else {
            return Ok(None);
        };
        let signing = signing_from(name).map_err(|source| BadArgument::SigningKeys {
            name: name.clone(),
            source,
        })?;
        let signing = signing
            .purpose(self.signing_purpose.as_deref().unwrap_or_default())
            .clock_skew(self.token_clock_skew);
        Ok(Some(match self.token_max_age {
            Some(age) => signing.max_age(age),
            None => signing,
        }))
    }
}
