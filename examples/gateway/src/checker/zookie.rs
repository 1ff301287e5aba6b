//! The revision that a one-node zookie names.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

/// `None` if the text is not a one-node zookie.
pub fn revision_of(zookie: &str) -> Option<u64> {
    #[derive(Deserialize)]
    struct Token {
        revision: u64,
    }
    let json = STANDARD.decode(zookie).ok()?;
    serde_json::from_slice(&json).ok().map(|Token { revision }| revision)
}
