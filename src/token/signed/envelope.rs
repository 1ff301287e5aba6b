//! The text of an envelope: `zs1.KEY.TIME.MAC.TOKEN`.
//!
//! The key's id, when the token was issued in seconds since 1970, the MAC in URL-safe base64 without padding, and the token's
//! text. The token is last, because it may have dots. A `.` is in no base64 and in no number, so no system's own token begins
//! like an envelope.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::token::error::TokenError;
use crate::token::signed::key::KeyId;
use crate::token::signed::mac::MAC_LEN;
use crate::token::zookie::is_token_byte;

/// What every envelope begins with.
const PREFIX: &str = "zs1.";

/// The most that an envelope adds to a token.
pub(super) const MOST_ADDED: usize = PREFIX.len() + KeyId::MAX_LEN + 1 + 20 + 1 + MAC_LEN.div_ceil(3) * 4 + 1;

/// An envelope that has been taken apart, and not been verified.
#[derive(Debug)]
pub(super) struct Envelope<'a> {
    pub(super) key: &'a str,
    pub(super) issued: u64,
    pub(super) mac: [u8; MAC_LEN],
    pub(super) token: &'a str,
}

/// Whether the text claims to be an envelope.
pub(crate) fn is_enveloped(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// Whether a message may have an envelope anywhere.
pub(crate) fn may_hold_envelope(message: &[u8]) -> bool {
    starts(message).next().is_some()
}

/// Whether a message has an envelope somewhere, whoever made it.
pub(crate) fn holds_envelope(message: &[u8]) -> bool {
    starts(message).any(|start| {
        let rest = &message[start..];
        let end = rest.iter().position(|byte| !is_token_byte(*byte));
        let text = std::str::from_utf8(&rest[..end.unwrap_or(rest.len())]);
        text.is_ok_and(|text| Envelope::read(text).is_ok())
    })
}

/// Where the prefix begins.
fn starts(message: &[u8]) -> impl Iterator<Item = usize> {
    let windows = message.windows(PREFIX.len()).enumerate();
    windows.filter_map(|(start, bytes)| (bytes == PREFIX.as_bytes()).then_some(start))
}

/// The token in an envelope, whoever made it. `None`: the text is no envelope, or has been cut off.
pub(crate) fn token_within(text: &str) -> Option<&str> {
    let [_, _, _, token] = parts(text)?;
    Some(token).filter(|token| !token.is_empty() && !is_enveloped(token))
}

fn parts(text: &str) -> Option<[&str; 4]> {
    let mut parts = text.strip_prefix(PREFIX)?.splitn(4, '.');
    Some([parts.next()?, parts.next()?, parts.next()?, parts.next()?])
}

impl<'a> Envelope<'a> {
    /// Takes an envelope apart. Each has one spelling only.
    pub(super) fn read(text: &'a str) -> Result<Self, TokenError> {
        const CUT_OFF: &str = "its signature is not complete";
        let [key, issued, mac, token] = parts(text).ok_or_else(|| TokenError::malformed(CUT_OFF))?;
        let digits = issued.bytes().all(|byte| byte.is_ascii_digit());
        let shortest = issued == "0" || !issued.starts_with('0');
        let issued = issued.parse().ok().filter(|_| digits && shortest);
        let issued = issued.ok_or_else(|| TokenError::malformed("the time in its signature is not a number"))?;
        let mut bytes = [0; MAC_LEN];
        match URL_SAFE_NO_PAD.decode_slice(mac, &mut bytes) {
            Ok(MAC_LEN) => {}
            _ => return Err(TokenError::malformed(CUT_OFF)),
        }
        if token.is_empty() || is_enveloped(token) {
            return Err(TokenError::malformed("its signature holds no token"));
        }
        Ok(Self {
            key,
            issued,
            mac: bytes,
            token,
        })
    }
}

/// The text of an envelope.
pub(super) fn spell(key: &KeyId, issued: u64, mac: &[u8; MAC_LEN], token: &str) -> String {
    let mac = URL_SAFE_NO_PAD.encode(mac);
    format!("{PREFIX}{key}.{issued}.{mac}.{token}")
}
