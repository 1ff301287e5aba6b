use std::fmt;
use std::str::FromStr;

use crate::invalid_setting::InvalidSetting;
use crate::token::signed::mac::Secret;

/// The name of a signing key, which is part of every token that it signs. It is no secret.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyId(Box<str>);

impl KeyId {
    /// The longest name.
    pub(super) const MAX_LEN: usize = 16;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyId {
    type Err = InvalidSetting;

    /// A name of 1 to 16 letters, digits, `-` and `_`.
    fn from_str(text: &str) -> Result<Self, InvalidSetting> {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if (1..=Self::MAX_LEN).contains(&text.len()) && text.bytes().all(is_name) {
            return Ok(Self(text.into()));
        }
        let problem =
            "has a key id that is not 1 to 16 letters, digits, `-` and `_`; choose such a name, for example `2027-01`";
        Err(InvalidSetting::new("signing", problem))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A secret that signs tokens, and its name. Its [`Debug`](fmt::Debug) does not show the secret.
#[derive(Clone)]
pub struct SigningKey {
    id: KeyId,
    secret: Secret,
}

/// HMAC-SHA-256 with less than this can be guessed.
const SHORTEST: usize = 16;

impl SigningKey {
    /// A key of at least 16 bytes that can't be guessed, such as 32 bytes of `openssl rand`.
    ///
    /// # Errors
    ///
    /// [`InvalidSetting`] for a name that is not 1 to 16 letters, digits, `-` and `_`, and for a secret that is too short.
    pub fn new(id: &str, secret: impl AsRef<[u8]>) -> Result<Self, InvalidSetting> {
        let (id, secret) = (id.parse()?, secret.as_ref());
        if secret.len() < SHORTEST {
            let len = secret.len();
            let problem = format!(
                "has the key `{id}` of {len} bytes, fewer than {SHORTEST}, so its signatures could be guessed; make one with \
                 `openssl rand -base64 32`"
            );
            return Err(InvalidSetting::new("signing", problem));
        }
        Ok(Self {
            id,
            secret: Secret::new(secret),
        })
    }

    /// The key's name.
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    pub(super) fn secret(&self) -> &Secret {
        &self.secret
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
