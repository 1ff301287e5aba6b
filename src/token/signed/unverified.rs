use std::time::{Duration, SystemTime};

use crate::token::error::{TokenError, TokenErrorKind};
use crate::token::signed::envelope::Envelope;
use crate::token::signed::key::KeyId;
use crate::token::zookie::Zookie;

/// What a signed token says of itself, for whoever looks for a mistake. **Nobody has verified it**: anybody can write such a
/// text.
///
/// ```
/// use tower_zookie::token::{Signing, SigningKey, Unverified, Zookie};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let signed = Signing::new(SigningKey::new("2027-01", [7; 32])?).sign(&Zookie::new("42", 16)?);
/// let says = Unverified::read(signed.as_str())?;
/// assert_eq!((says.key.as_str(), says.zookie.as_str()), ("2027-01", "42"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unverified {
    /// The token.
    pub zookie: Zookie,
    /// When it was issued.
    pub issued: SystemTime,
    /// The key that signed it.
    pub key: KeyId,
}

impl Unverified {
    /// Reads a signed token without verifying it.
    ///
    /// # Errors
    ///
    /// [`Malformed`](TokenErrorKind::Malformed) if the text is no signed token.
    pub fn read(text: &str) -> Result<Self, TokenError> {
        let Envelope { key, issued, token, .. } = Envelope::read(text)?;
        let issued = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(issued));
        let key = key.parse();
        Ok(Self {
            zookie: Zookie::new(token, token.len())?,
            issued: issued.ok_or(TokenErrorKind::FromFuture)?,
            key: key.map_err(|_| TokenError::malformed("its signature has no key id"))?,
        })
    }
}
