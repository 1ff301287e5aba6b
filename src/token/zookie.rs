use std::fmt;

use http::HeaderValue;

use crate::token::error::{TokenError, TokenErrorKind};

/// A consistency token as text. Its system may call it zookie, ZedToken, snap token or revision token.
///
/// The text is visible ASCII without separators, so that it can travel in a header, in gRPC metadata and, escaped, in
/// cookies and queries. The text is never changed: tokens are not canonical, and the layer forwards them byte for byte.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Zookie(HeaderValue);

impl Zookie {
    /// A zookie of this text, at most `max_len` bytes long.
    ///
    /// # Errors
    ///
    /// [`TokenErrorKind::TooLong`], or [`TokenErrorKind::Malformed`] for an empty text and for characters that no
    /// token has (anything but letters, digits and `+ / = - _ . : ~`).
    pub fn new(text: &str, max_len: usize) -> Result<Self, TokenError> {
        if text.len() > max_len {
            return Err(TokenErrorKind::TooLong {
                len: text.len(),
                max: max_len,
            }
            .into());
        }
        if text.is_empty() {
            return Err(TokenError::malformed("the token is empty"));
        }
        if !text.bytes().all(is_token_byte) {
            return Err(TokenError::malformed("the token has characters that no token has"));
        }
        HeaderValue::from_str(text)
            .map(Self)
            .map_err(|e| TokenError::malformed("the token does not fit into a header").with_source(e))
    }

    /// The token's text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    /// These tokens as one header value, comma-separated. `None` if there is no token.
    pub(crate) fn list(zookies: &[Self]) -> Option<HeaderValue> {
        match zookies {
            [] => None,
            [only] => Some(only.to_header_value()),
            several => {
                let texts: Vec<&str> = several.iter().map(Self::as_str).collect();
                HeaderValue::try_from(texts.join(",")).ok()
            }
        }
    }

    /// The token as a header value, without copying it.
    pub fn to_header_value(&self) -> HeaderValue {
        self.0.clone()
    }
}

/// Whether a token may have this byte.
pub(super) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/=-_.:~".contains(&byte)
}

impl fmt::Display for Zookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Shows only the length: tokens don't belong in logs.
impl fmt::Debug for Zookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zookie({} bytes)", self.0.len())
    }
}
