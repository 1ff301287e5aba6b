use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, COOKIE, HOST, ORIGIN,
    PROXY_AUTHORIZATION, ValueIter,
};
use http::{HeaderMap, HeaderName, HeaderValue};

pub(super) use crate::consistency::CONSISTENCY;

/// A header that matters to the layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    Host,
    Accept,
    AcceptEncoding,
    Authorization,
    ProxyAuthorization,
    Cookie,
    CacheControl,
    Consistency,
    Connection,
    ContentEncoding,
    Origin,
    ForwardedHost,
    ForwardedPrefix,
}

impl Header {
    /// Its number in a key. No header has the number 0.
    pub(super) fn number(self) -> u16 {
        self as u16 + 1
    }

    pub(super) fn name(self) -> &'static HeaderName {
        &NAMES[self as usize]
    }
}

static NAMES: [HeaderName; 13] = [
    HOST,
    ACCEPT,
    ACCEPT_ENCODING,
    AUTHORIZATION,
    PROXY_AUTHORIZATION,
    COOKIE,
    CACHE_CONTROL,
    CONSISTENCY,
    CONNECTION,
    CONTENT_ENCODING,
    ORIGIN,
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-prefix"),
];

/// Headers by which some servers change a request's path or method after the layer has looked at it.
static OVERRIDES: [HeaderName; 5] = [
    HeaderName::from_static("x-original-url"),
    HeaderName::from_static("x-rewrite-url"),
    HeaderName::from_static("x-http-method-override"),
    HeaderName::from_static("x-http-method"),
    HeaderName::from_static("x-method-override"),
];

/// Takes out all headers that may change a request's path or method.
pub(super) fn strip_overrides(headers: &mut HeaderMap) {
    for name in &OVERRIDES {
        headers.remove(name);
    }
}

/// A set of [`OVERRIDES`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Overrides(u8);

impl Overrides {
    /// All but those that are known.
    pub(super) fn all_but(is_known: impl Fn(&HeaderName) -> bool) -> Self {
        let unknown = (0..OVERRIDES.len()).filter(|nth| !is_known(&OVERRIDES[*nth]));
        Self(unknown.fold(0, |set, nth| set | 1 << nth))
    }

    fn add(&mut self, name: &str) {
        for (nth, other) in OVERRIDES.iter().enumerate() {
            self.0 |= u8::from(other == name) << nth;
        }
    }
}

/// The headers of a request that matter to the layer.
///
/// Found in one pass over the few that are there, which costs less than looking for each of the many that could be.
#[derive(Debug)]
pub(super) struct Headers<'a> {
    all: &'a HeaderMap,
    first: [Option<&'a HeaderValue>; NAMES.len()],
    repeated: bool,
    unkeyable: bool,
    signed: bool,
    grpc: bool,
    overrides: Overrides,
}

impl<'a> Headers<'a> {
    pub(super) fn of(all: &'a HeaderMap) -> Self {
        let mut headers = Self {
            all,
            first: [None; NAMES.len()],
            repeated: false,
            unkeyable: false,
            signed: false,
            grpc: false,
            overrides: Overrides::default(),
        };
        for (name, value) in all {
            let header = match name.as_str() {
                "host" => Header::Host,
                "accept" => Header::Accept,
                "accept-encoding" => Header::AcceptEncoding,
                "authorization" => Header::Authorization,
                "proxy-authorization" => Header::ProxyAuthorization,
                "cookie" => Header::Cookie,
                "cache-control" => Header::CacheControl,
                "zookie-consistency" => Header::Consistency,
                "connection" => Header::Connection,
                "content-encoding" => Header::ContentEncoding,
                "origin" => Header::Origin,
                "x-forwarded-host" => Header::ForwardedHost,
                "x-forwarded-prefix" => Header::ForwardedPrefix,
                "if-match" | "if-modified-since" | "if-none-match" | "if-range" | "if-unmodified-since" | "range" => {
                    headers.unkeyable = true;
                    continue;
                }
                "content-type" => {
                    headers.grpc = value.as_bytes().starts_with(b"application/grpc");
                    continue;
                }
                "signature" | "signature-input" | "digest" | "content-digest" => {
                    headers.unkeyable = true;
                    headers.signed = true;
                    continue;
                }
                "x-original-url"
                | "x-rewrite-url"
                | "x-http-method-override"
                | "x-http-method"
                | "x-method-override" => {
                    headers.overrides.add(name.as_str());
                    continue;
                }
                _ => continue,
            };
            headers.repeated |= headers.first[header as usize].replace(value).is_some();
        }
        headers
    }

    pub(super) fn has(&self, header: Header) -> bool {
        self.first[header as usize].is_some()
    }

    /// All values of a header, in their order.
    pub(super) fn values(&self, header: Header) -> Values<'a> {
        match self.first[header as usize] {
            Some(_) if self.repeated => self.named(&NAMES[header as usize]),
            one => Values::AtMostOne(one),
        }
    }

    /// All values of a header of any name.
    pub(super) fn named(&self, name: &HeaderName) -> Values<'a> {
        Values::All(self.all.get_all(name).into_iter())
    }

    /// Whether the reply to the request would not be the answer alone, or the request can't be changed: it is
    /// conditional, partial or signed.
    pub(super) fn are_unkeyable(&self) -> bool {
        self.unkeyable
    }

    /// Whether the request is gRPC, whose headers are called metadata.
    pub(super) fn are_metadata(&self) -> bool {
        self.grpc
    }

    /// Whether the request is signed, so that nothing in it may be changed.
    pub(super) fn are_signed(&self) -> bool {
        self.signed
    }

    /// Whether a header may change the request's path or method, and is one of `unknown`.
    pub(super) fn override_request(&self, unknown: Overrides) -> bool {
        self.overrides.0 & unknown.0 != 0
    }
}

/// The values of one header: nearly always at most one.
pub(super) enum Values<'a> {
    AtMostOne(Option<&'a HeaderValue>),
    All(ValueIter<'a, HeaderValue>),
}

impl<'a> Iterator for Values<'a> {
    type Item = &'a HeaderValue;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::AtMostOne(one) => one.take(),
            Self::All(all) => all.next(),
        }
    }
}

/// Whether `Cache-Control` says `no-cache`.
pub(super) fn forbid_caching<'a>(cache_control: impl IntoIterator<Item = &'a HeaderValue>) -> bool {
    cache_control
        .into_iter()
        .any(|value| has_directive(value.as_bytes(), b"no-cache"))
}

/// Whether a comma-separated list such as `Cache-Control` names a directive.
fn has_directive(list: &[u8], directive: &[u8]) -> bool {
    list.split(|byte| *byte == b',').any(|member| {
        let name = member.split(|byte| *byte == b'=').next().unwrap_or_default();
        name.trim_ascii().eq_ignore_ascii_case(directive)
    })
}

/// Whether `Connection` names headers of the request itself: a proxy below the layer would not forward them, so a
/// credential in the key would be missing in what is asked.
pub(super) fn drops_headers(headers: &Headers<'_>) -> bool {
    const OF_THE_CONNECTION: [&[u8]; 5] = [b"close", b"keep-alive", b"upgrade", b"te", b"http2-settings"];
    headers
        .values(Header::Connection)
        .flat_map(|names| names.as_bytes().split(|byte| *byte == b','))
        .any(|name| {
            let name = name.trim_ascii();
            !name.is_empty() && !OF_THE_CONNECTION.iter().any(|known| name.eq_ignore_ascii_case(known))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_header_is_found_under_its_name() {
        for name in &NAMES {
            let all = HeaderMap::from_iter([(name.clone(), HeaderValue::from_static("a"))]);
            let headers = Headers::of(&all);
            let found = headers.first.iter().position(Option::is_some);
            assert_eq!(found, NAMES.iter().position(|other| other == name), "{name}");
        }
    }

    #[test]
    fn overrides_are_found_unless_they_are_known() {
        for name in &OVERRIDES {
            let all = HeaderMap::from_iter([(name.clone(), HeaderValue::from_static(""))]);
            let headers = Headers::of(&all);
            assert!(headers.override_request(Overrides::all_but(|_| false)), "{name}");
            assert!(
                !headers.override_request(Overrides::all_but(|known| known == name)),
                "{name}"
            );
            assert!(
                headers.override_request(Overrides::all_but(|known| known != name)),
                "{name}"
            );
        }
        let all = HeaderMap::from_iter([(HOST, HeaderValue::from_static("a"))]);
        assert!(!Headers::of(&all).override_request(Overrides::all_but(|_| false)));
    }

    #[test]
    fn repeated_headers_have_all_their_values() {
        let value = HeaderValue::from_static;
        let mut all = HeaderMap::new();
        all.append(COOKIE, value("a=1"));
        all.append(HOST, value("example.com"));
        all.append(COOKIE, value("b=2"));
        let headers = Headers::of(&all);
        assert!(headers.values(Header::Cookie).eq(["a=1", "b=2"]));
        assert!(headers.values(Header::Host).eq(["example.com"]));
        assert!(headers.values(Header::Accept).next().is_none());
        assert!(headers.has(Header::Cookie) && !headers.has(Header::Accept));
    }
}
