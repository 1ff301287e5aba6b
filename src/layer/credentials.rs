use std::fmt;
use std::sync::Arc;

use http::request::Parts;
use http::{Extensions, HeaderName};
use tokio::time::Instant;

use crate::cache::{FingerprintBuilder, Named, Part};
use crate::layer::headers::{Header, Headers};
use crate::token::Carriers;

/// The parts of a request that distinguish callers: `Authorization`, `Proxy-Authorization`, every cookie but the zookie's,
/// configured headers, and what an extractor finds in the request's extensions.
#[derive(Clone, Default)]
pub(super) struct Credentials {
    pub(super) headers: Vec<HeaderName>,
    pub(super) extractor: Option<Extractor>,
}

type Extractor = Arc<dyn Fn(&Extensions, &mut Credential<'_>) + Send + Sync>;

/// Takes what an extractor found out about the caller.
#[derive(Debug)]
pub struct Credential<'a> {
    key: &'a mut FingerprintBuilder,
    ends: &'a mut Option<Instant>,
}

impl Credential<'_> {
    /// These bytes identify the caller, such as a TLS peer's certificate hash. Callers with other bytes share no answers
    /// with this one.
    pub fn identify(&mut self, bytes: &[u8]) {
        self.key.note(Named::Credential, "identity", bytes);
        self.key.add(Part::Credential, bytes);
    }

    /// The credential is valid until then, and so are the answers given under it. A request whose credential has ended is
    /// forwarded, for the inner service to judge: it is answered neither from memory nor by a call that others share.
    pub fn ends_at(&mut self, instant: std::time::Instant) {
        let instant = Instant::from_std(instant);
        let earliest = self.ends.map_or(instant, |ends| ends.min(instant));
        *self.ends = Some(earliest);
    }
}

impl Credentials {
    /// Adds the caller to the key, and says when the credential ends.
    pub(super) fn add(
        &self,
        parts: &Parts,
        headers: &Headers<'_>,
        carriers: &Carriers,
        key: &mut FingerprintBuilder,
    ) -> Option<Instant> {
        for header in [Header::Authorization, Header::ProxyAuthorization] {
            for value in headers.values(header) {
                key.note(Named::Credential, header.name().as_str(), value.as_bytes());
                key.add_nth(Part::Credential, header.number(), value.as_bytes());
            }
        }
        for cookies in headers.values(Header::Cookie) {
            for cookie in carriers.cookies_without(cookies) {
                note_cookie(key, cookie);
                key.add_nth(Part::Credential, Header::Cookie.number(), cookie);
            }
        }
        for name in &self.headers {
            for value in headers.named(name) {
                key.note(Named::Credential, name.as_str(), value.as_bytes());
                key.add_named(Part::Credential, name.as_str().as_bytes(), value.as_bytes());
            }
        }
        let mut ends = None;
        if let Some(extractor) = &self.extractor {
            extractor(&parts.extensions, &mut Credential { key, ends: &mut ends });
        }
        ends
    }
}

fn note_cookie(key: &FingerprintBuilder, cookie: &[u8]) {
    let end = cookie.iter().position(|byte| *byte == b'=').unwrap_or(cookie.len());
    let name = String::from_utf8_lossy(cookie[..end].trim_ascii());
    key.note(Named::Cookie, &name, &cookie[end..]);
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("headers", &self.headers)
            .field("extractor", &self.extractor.is_some())
            .finish()
    }
}
