use http::request::Parts;
use tokio::time::Instant;

use crate::cache::{FingerprintBuilder, Named, Part};
use crate::layer::headers::{Header, Headers};
use crate::layer::state::LayerState;
use crate::protocol::Protocol;

/// Who sent a request.
pub(in crate::layer) struct Caller {
    /// The credential, and nothing else of the request.
    key: FingerprintBuilder,
    pub(super) ends: Option<Instant>,
}

impl Caller {
    /// Whom the cap on flights counts the request for.
    pub(in crate::layer) fn number(&self) -> u64 {
        self.key.finish().low_half()
    }

    /// Whether the request has a credential. `prefix` is what the key of every request begins with.
    pub(super) fn has_credential(&self, prefix: &FingerprintBuilder) -> bool {
        self.key.finish() != prefix.finish()
    }
}

impl<P: Protocol> LayerState<P> {
    /// What every question's fingerprint begins with: who asks it, which server, and in which form.
    pub(in crate::layer) fn key(&self, parts: &Parts, headers: &Headers<'_>) -> (FingerprintBuilder, Caller) {
        self.key_of(self.key_prefix.clone(), parts, headers)
    }

    /// The same, after this start.
    pub(super) fn key_of(
        &self,
        start: FingerprintBuilder,
        parts: &Parts,
        headers: &Headers<'_>,
    ) -> (FingerprintBuilder, Caller) {
        // Where callers share, the credential counts for the caps alone.
        let (mut caller, shared) = match self.credentials.callers_share {
            true => (self.key_prefix.clone(), Some(start)),
            false => (start, None),
        };
        let ends = self.credentials.add(parts, headers, &self.carriers, &mut caller);
        let mut key = shared.unwrap_or_else(|| caller.clone());
        let caller = Caller { key: caller, ends };
        self.add_endpoint(parts, headers, &mut key);
        (key, caller)
    }

    /// Adds to a key which server is asked, and in which form.
    pub(super) fn add_endpoint(&self, parts: &Parts, headers: &Headers<'_>, key: &mut FingerprintBuilder) {
        if let Some(authority) = parts.uri.authority() {
            key.note(Named::Endpoint, "authority", authority.as_str().as_bytes());
            key.add(Part::Store, authority.as_str().as_bytes());
        }
        // Services differ in which of several hosts they believe. A browser accepts a reply only if it names its origin.
        for header in [
            Header::Host,
            Header::ForwardedHost,
            Header::ForwardedPrefix,
            Header::Accept,
            Header::AcceptEncoding,
            Header::Origin,
        ] {
            for value in headers.values(header) {
                key.note(Named::Header, header.name().as_str(), value.as_bytes());
                key.add_nth(Part::Header, header.number(), value.as_bytes());
            }
        }
        for name in &self.key_headers {
            for value in headers.named(name) {
                key.note(Named::Header, name.as_str(), value.as_bytes());
                key.add_named(Part::Header, name.as_str().as_bytes(), value.as_bytes());
            }
        }
    }
}
