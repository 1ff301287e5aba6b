use std::fmt;
use std::sync::Arc;

use http::header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION};
use http::request::Parts;
use http::{Extensions, HeaderName};
use tokio::time::Instant;

use crate::cache::{FingerprintBuilder, Named, Part};
use crate::invalid_setting::InvalidSetting;
use crate::layer::headers::{Header, Headers};
use crate::token::Carriers;

/// The number of an identity's part in a key. No header has it.
const IDENTITY: u16 = u16::MAX - 1;

/// The parts of a request that distinguish callers: `Authorization`, `Proxy-Authorization`, every cookie but the zookie's,
/// configured headers, and what an extractor finds in the request's extensions. An identity takes the place of some of them.
#[derive(Clone, Default)]
pub(super) struct Credentials {
    pub(super) headers: Vec<HeaderName>,
    pub(super) extractor: Option<Extractor>,
    pub(super) identity: Option<Identity>,
    /// The answers depend on the question alone. The caps still count each caller for itself.
    pub(super) callers_share: bool,
}

type Extractor = Arc<dyn Fn(&Extensions, &mut Credential<'_>) + Send + Sync>;

/// Finds who the caller is.
#[derive(Clone)]
pub(super) struct Identity {
    /// The credentials whose place it takes.
    pub(super) instead_of: Vec<HeaderName>,
    pub(super) extractor: IdentityExtractor,
}

type IdentityExtractor = Arc<dyn Fn(&Parts, &mut Credential<'_>) + Send + Sync>;

/// Takes what an extractor found out about the caller.
#[derive(Debug)]
pub struct Credential<'a> {
    key: &'a mut FingerprintBuilder,
    /// Its number in the key.
    nth: u16,
    is_known: bool,
    ends: &'a mut Option<Instant>,
}

impl Credential<'_> {
    /// These bytes identify the caller, such as a TLS peer's certificate hash. Callers with other bytes share no answers
    /// with this one. Several calls in one request add up.
    pub fn identify(&mut self, bytes: &[u8]) {
        self.key.note(Named::Credential, "identity", bytes);
        self.is_known |= !bytes.is_empty();
        self.key.add_nth(Part::Credential, self.nth, bytes);
    }

    /// The credential is valid until then, and so are the answers given under it. A request whose credential has ended is
    /// forwarded, for the inner service to judge: it is answered neither from memory nor by a call that others share.
    pub fn ends_at(&mut self, instant: std::time::Instant) {
        let instant = Instant::from_std(instant);
        let earliest = self.ends.map_or(instant, |ends| ends.min(instant));
        *self.ends = Some(earliest);
    }
}

impl Identity {
    /// Adds the identity to the key, and gives the credentials whose place it takes: none, if the extractor finds nothing.
    fn add(&self, parts: &Parts, key: &mut FingerprintBuilder, ends: &mut Option<Instant>) -> &[HeaderName] {
        let mut identity = Credential {
            key,
            nth: IDENTITY,
            is_known: false,
            ends,
        };
        (self.extractor)(parts, &mut identity);
        if identity.is_known { &self.instead_of } else { &[] }
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
        let mut ends = None;
        let identity = self.identity.as_ref();
        let replaced = identity.map_or(&[][..], |identity| identity.add(parts, key, &mut ends));
        for (header, name) in [
            (Header::Authorization, AUTHORIZATION),
            (Header::ProxyAuthorization, PROXY_AUTHORIZATION),
        ] {
            for value in headers.values(header).filter(|_| !replaced.contains(&name)) {
                key.note(Named::Credential, name.as_str(), value.as_bytes());
                key.add_nth(Part::Credential, header.number(), value.as_bytes());
            }
        }
        for cookies in headers.values(Header::Cookie).filter(|_| !replaced.contains(&COOKIE)) {
            for cookie in carriers.cookies_without(cookies) {
                note_cookie(key, cookie);
                key.add_nth(Part::Credential, Header::Cookie.number(), cookie);
            }
        }
        for name in self.headers.iter().filter(|name| !replaced.contains(name)) {
            for value in headers.named(name) {
                key.note(Named::Credential, name.as_str(), value.as_bytes());
                key.add_named(Part::Credential, name.as_str().as_bytes(), value.as_bytes());
            }
        }
        if let Some(extractor) = &self.extractor {
            let mut credential = Credential {
                key,
                nth: 0,
                is_known: false,
                ends: &mut ends,
            };
            extractor(&parts.extensions, &mut credential);
        }
        ends
    }

    /// Checks that the settings do not contradict each other.
    pub(super) fn validate(&self) -> Result<(), InvalidSetting> {
        let invalid = |setting, problem: String| Err(InvalidSetting::new(setting, problem));
        for (setting, is_set) in [
            ("credential_headers", !self.headers.is_empty()),
            ("credentials", self.extractor.is_some()),
            ("identity_instead_of", self.identity.is_some()),
        ] {
            if self.callers_share && is_set {
                let problem = format!("is on, but `{setting}` tells callers apart; leave out one of them");
                return invalid("callers_share", problem);
            }
        }
        let Some(Identity { instead_of, .. }) = &self.identity else {
            return Ok(());
        };
        let is_credential = |name: &HeaderName| {
            [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE].contains(name) || self.headers.contains(name)
        };
        match instead_of.iter().find(|name| !is_credential(name)) {
            _ if instead_of.is_empty() => {
                let problem = "takes the place of no header; name one, such as `authorization`, or use `credentials`";
                invalid("identity_instead_of", problem.to_owned())
            }
            Some(name) => {
                let problem = format!(
                    "names the header `{name}`, which is no credential; name `authorization`, `proxy-authorization`, `cookie`, \
                     or one of `credential_headers`"
                );
                invalid("identity_instead_of", problem)
            }
            None => Ok(()),
        }
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
            .field(
                "instead_of",
                &self.identity.as_ref().map(|identity| &identity.instead_of),
            )
            .field("callers_share", &self.callers_share)
            .finish()
    }
}
