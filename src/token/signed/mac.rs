use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

pub(super) const MAC_LEN: usize = 32;

/// What is signed begins with this, so that a signature made for anything else is never one of a token.
const DOMAIN: &[u8] = b"tower-zookie signed token 1";

/// A secret, as HMAC-SHA-256 begins with it.
#[derive(Clone)]
pub(super) struct Secret(Hmac<Sha256>);

/// What a signature says.
#[derive(Clone, Copy)]
pub(super) struct Signed<'a> {
    pub(super) purpose: &'a str,
    pub(super) key: &'a str,
    pub(super) issued: u64,
    pub(super) token: &'a str,
}

impl Secret {
    pub(super) fn new(secret: &[u8]) -> Self {
        // A key of any length is one of HMAC.
        Self(Hmac::new_from_slice(secret).expect("HMAC takes keys of any length"))
    }

    pub(super) fn sign(&self, what: Signed<'_>) -> [u8; MAC_LEN] {
        self.over(what).finalize().into_bytes().into()
    }

    /// Takes the same time for every wrong signature.
    pub(super) fn is_signature(&self, what: Signed<'_>, mac: &[u8; MAC_LEN]) -> bool {
        self.over(what).verify_slice(mac).is_ok()
    }

    /// Every part but the last has a length before it, so that two different contents never are the same bytes.
    fn over(&self, what: Signed<'_>) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        for part in [DOMAIN, what.purpose.as_bytes(), what.key.as_bytes()] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.update(&what.issued.to_be_bytes());
        mac.update(what.token.as_bytes());
        mac
    }
}
