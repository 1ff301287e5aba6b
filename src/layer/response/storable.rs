//! What a reply's own headers say about storing it.

use std::time::{Duration, SystemTime};

use http::header::{AGE, CACHE_CONTROL, DATE, EXPIRES, ORIGIN, VARY};
use http::{HeaderMap, HeaderName, HeaderValue};

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
const OUR_NAME: &[u8] = b"tower-zookie";

/// What our status says of a reply that a layer itself keeps. It gives each reply a `no-store`, and only there it means nothing.
const KEPT: [&[u8]; 3] = [b"hit", b"stored", b"collapsed"];

/// Whether a reply may be stored, as a cache that many share has to judge it (RFC 9111).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::layer) enum Storable {
    /// No.
    Never,
    /// For this long, counted from the call's start.
    For(Duration),
    /// As long as the layer's own settings say: the reply says nothing.
    Unsaid,
}

impl Storable {
    /// What a reply with these headers says to a request with those of `request`.
    ///
    /// A second layer's own `no-store` does not count, nor that a reply would vary with an `Origin` that the request does
    /// not have.
    pub(in crate::layer) fn of(request: &HeaderMap, reply: &HeaderMap) -> Self {
        if is_forbidden(reply) || varies(request, reply) {
            return Self::Never;
        }
        let lifetime = seconds(reply, b"s-maxage")
            .or_else(|| seconds(reply, b"max-age"))
            .or_else(|| until_expiry(reply));
        match lifetime.map(|lifetime| lifetime.saturating_sub(age(reply))) {
            None => Self::Unsaid,
            Some(Duration::ZERO) => Self::Never,
            Some(left) => Self::For(left),
        }
    }

    /// How long the reply may be stored, where it says so.
    pub(in crate::layer) fn lifetime(self) -> Option<Duration> {
        match self {
            Self::For(left) => Some(left),
            Self::Never | Self::Unsaid => None,
        }
    }
}

/// `no-cache` allows to store a reply only if the upstream is asked again before each use.
fn is_forbidden(reply: &HeaderMap) -> bool {
    let mut directives = directives(reply);
    directives.any(|(name, _)| is_one_of(name, &[b"no-store", b"no-cache", b"private"])) && !is_by_a_layer(reply)
}

fn is_by_a_layer(reply: &HeaderMap) -> bool {
    let mut statuses = reply.get_all(CACHE_STATUS).iter().map(HeaderValue::as_bytes);
    let kept = |status: &[u8]| KEPT.iter().any(|parameter| has_parameter(status, parameter));
    statuses.any(|status| status.starts_with(OUR_NAME) && kept(status))
}

fn has_parameter(member: &[u8], parameter: &[u8]) -> bool {
    member
        .split(|byte| *byte == b';')
        .any(|part| part.trim_ascii() == parameter)
}

fn varies(request: &HeaderMap, reply: &HeaderMap) -> bool {
    let origin_only = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"origin");
    reply.contains_key(VARY) && (!reply.get_all(VARY).iter().all(origin_only) || request.contains_key(ORIGIN))
}

/// The members of `Cache-Control`, each with its value.
fn directives(reply: &HeaderMap) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
    let members = reply.get_all(CACHE_CONTROL).iter();
    members
        .flat_map(|list| list.as_bytes().split(|byte| *byte == b','))
        .map(|member| match member.iter().position(|byte| *byte == b'=') {
            Some(at) => (member[..at].trim_ascii(), Some(member[at + 1..].trim_ascii())),
            None => (member.trim_ascii(), None),
        })
}

fn is_one_of(name: &[u8], names: &[&[u8]]) -> bool {
    names.iter().any(|other| name.eq_ignore_ascii_case(other))
}

/// The number of seconds that a directive names: the least if it occurs more than once, and 0 if it can't be read.
fn seconds(reply: &HeaderMap, directive: &[u8]) -> Option<Duration> {
    directives(reply)
        .filter(|(name, _)| name.eq_ignore_ascii_case(directive))
        .map(|(_, value)| value.and_then(number).unwrap_or(Duration::ZERO))
        .min()
}

/// A number of seconds, quoted or not. What is too large for one is the largest.
fn number(text: &[u8]) -> Option<Duration> {
    let unquoted = text
        .strip_prefix(b"\"")
        .and_then(|text| text.strip_suffix(b"\""))
        .unwrap_or(text);
    if unquoted.is_empty() || !unquoted.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let seconds = unquoted.iter().fold(0_u64, |number, digit| {
        number.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
    });
    Some(Duration::from_secs(seconds))
}

/// How long after its own date a reply expires. One whose expiry can't be read has expired.
fn until_expiry(reply: &HeaderMap) -> Option<Duration> {
    let expires = reply.get_all(EXPIRES).iter();
    let earliest = expires
        .map(|value| date(value).unwrap_or(SystemTime::UNIX_EPOCH))
        .min()?;
    let dated = reply.get(DATE).and_then(date).unwrap_or_else(SystemTime::now);
    Some(earliest.duration_since(dated).unwrap_or_default())
}

fn date(value: &HeaderValue) -> Option<SystemTime> {
    httpdate::parse_http_date(value.to_str().ok()?).ok()
}

/// How long other caches have held a reply.
fn age(reply: &HeaderMap) -> Duration {
    let ages = reply.get_all(AGE).iter();
    ages.filter_map(|age| number(age.as_bytes())).max().unwrap_or_default()
}
