use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, COOKIE, HOST, ORIGIN,
    PROXY_AUTHORIZATION, ValueIter,
};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::wanted::CONSISTENCY;

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
}

static NAMES: [HeaderName; 11] = [
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
];

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
}

impl<'a> Headers<'a> {
    pub(super) fn of(all: &'a HeaderMap) -> Self {
        let mut headers = Self {
            all,
            first: [None; NAMES.len()],
            repeated: false,
            unkeyable: false,
            signed: false,
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
                "if-match" | "if-modified-since" | "if-none-match" | "if-range" | "if-unmodified-since" | "range" => {
                    headers.unkeyable = true;
                    continue;
                }
                "signature" | "signature-input" | "digest" | "content-digest" => {
                    headers.unkeyable = true;
                    headers.signed = true;
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

    /// Whether the request is signed, so that nothing in it may be changed.
    pub(super) fn are_signed(&self) -> bool {
        self.signed
    }
}

/// The values of one header: nearly always one or none.
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
