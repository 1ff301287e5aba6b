//! Where zookies travel: headers (gRPC metadata is headers too), cookies, queries.

mod cookies;
mod query;
mod same_site;
#[cfg(test)]
mod tests;

use std::time::Duration;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::Uri;

use crate::invalid_setting::InvalidSetting;
use crate::token::error::{TokenError, TokenErrorKind};
use crate::token::zookie::Zookie;

pub(crate) use query::{Outline, parameters};
pub use same_site::SameSite;

const DEFAULT_MAX_TOKENS: usize = 8;

/// One place where a zookie travels.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Carrier {
    /// A header, and so gRPC metadata, of this name. Requests and replies.
    Header(HeaderName),
    /// A cookie of this name. Requests and replies; the value is percent-encoded.
    Cookie(String),
    /// A query parameter of this name. Requests only.
    Query(String),
}

/// Where a zookie was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// In a header or in gRPC metadata.
    Header,
    /// In a cookie, which a browser sends by itself.
    Cookie,
    /// In the query.
    Query,
}

impl Source {
    /// Whether the caller sent it for this request: true for anything except a cookie.
    pub fn is_explicit(self) -> bool {
        self != Self::Cookie
    }
}

/// Why some places can't be [`Carriers`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCarrier {
    /// The header has a meaning of its own, which a zookie would overwrite.
    #[error("the header `{0}` already has another meaning; use a header of its own for zookies, such as `zookie`")]
    ReservedHeader(HeaderName),
    /// gRPC encodes the values of headers with this ending.
    #[error(
        "gRPC encodes the values of headers that end with `-bin`, such as `{0}`; use another name, such as `zookie`"
    )]
    BinaryHeader(HeaderName),
    /// The name of a cookie can have only letters, digits and `- _ .`.
    #[error("the cookie name `{0}` is invalid; use only letters, digits and - _ .")]
    CookieName(String),
    /// The name of a query parameter is empty.
    #[error("the query parameter's name is empty; give it one, such as `zookie`")]
    EmptyQueryName,
    /// A place is repeated.
    #[error("{0:?} is repeated; list it once")]
    Repeated(Carrier),
}

/// The places where zookies travel, in order.
///
/// By default: the header `zookie`, the cookie `zookie`, and the query parameters `zookie` and `token`. Cookies are set
/// with `Path=/; HttpOnly; SameSite=Lax`, unless [`same_site`](Self::same_site) says otherwise.
///
/// ```
/// use http::{HeaderMap, Uri};
/// use tower_zookie::token::{Carriers, Source};
///
/// let uri = Uri::from_static("/check?token=bm90ZQ+/&resource=doc");
/// let mut found = Vec::new();
/// Carriers::default().visit(&HeaderMap::new(), &uri, |source, text| found.push((source, text.unwrap().to_owned())))?;
/// assert_eq!(found, [(Source::Query, "bm90ZQ+/".to_owned())]);
/// # Ok::<(), tower_zookie::token::TokenError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Carriers {
    places: Vec<Carrier>,
    max_tokens: usize,
    secure: bool,
    same_site: SameSite,
    max_age: Option<Duration>,
}

impl Default for Carriers {
    fn default() -> Self {
        Self::of(vec![
            Carrier::Header(HeaderName::from_static("zookie")),
            Carrier::Cookie("zookie".to_owned()),
            Carrier::Query("zookie".to_owned()),
            Carrier::Query("token".to_owned()),
        ])
    }
}

impl Carriers {
    /// Carriers with these places. Without any place, zookies travel in messages only.
    ///
    /// # Errors
    ///
    /// [`InvalidCarrier`] for a header with another meaning, an invalid name, and a repeated place.
    pub fn new(places: impl IntoIterator<Item = Carrier>) -> Result<Self, InvalidCarrier> {
        let mut valid = Vec::new();
        for place in places {
            match &place {
                Carrier::Header(name) if has_another_meaning(name.as_str()) => {
                    return Err(InvalidCarrier::ReservedHeader(name.clone()));
                }
                Carrier::Header(name) if name.as_str().ends_with("-bin") => {
                    return Err(InvalidCarrier::BinaryHeader(name.clone()));
                }
                Carrier::Cookie(name) if !is_cookie_name(name) => return Err(InvalidCarrier::CookieName(name.clone())),
                Carrier::Query(name) if name.is_empty() => return Err(InvalidCarrier::EmptyQueryName),
                _ if valid.contains(&place) => return Err(InvalidCarrier::Repeated(place)),
                _ => valid.push(place),
            }
        }
        Ok(Self::of(valid))
    }

    fn of(places: Vec<Carrier>) -> Self {
        Self {
            places,
            max_tokens: DEFAULT_MAX_TOKENS,
            secure: false,
            same_site: SameSite::Lax,
            max_age: None,
        }
    }

    /// Sets the limit of tokens in one request.
    ///
    /// By default 8. At least 1; [`build`](crate::ZookieLayerBuilder::build) checks it.
    #[must_use]
    pub fn max_tokens(mut self, tokens: usize) -> Self {
        self.max_tokens = tokens;
        self
    }

    /// Whether cookies are set with `Secure`, so that browsers never send them over plain HTTP. Off by default, except
    /// for cookies whose name begins with `__Secure-` or `__Host-`: browsers require it for these.
    #[must_use]
    pub fn secure(mut self, secure: bool) -> Self {
        self.secure = secure;
        self
    }

    /// For which requests browsers send the cookie that come from pages of another site.
    ///
    /// By default [`SameSite::Lax`]. [`SameSite::None`] needs [`secure`](Self::secure).
    #[must_use]
    pub fn same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = same_site;
        self
    }

    /// How long browsers store the cookie, in whole seconds.
    ///
    /// By default they store it until they are closed. At least one second; [`build`](crate::ZookieLayerBuilder::build)
    /// checks it.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    pub(crate) fn validate(&self) -> Result<(), InvalidSetting> {
        if self.max_tokens == 0 {
            let problem = "is 0, so every request with a token would be rejected; set it to 1 or more";
            return Err(InvalidSetting::new("max_tokens", problem));
        }
        let sets_cookies = self.have_cookie();
        for (setting, is_set) in [
            ("max_age", self.max_age.is_some()),
            ("secure", self.secure),
            ("same_site", self.same_site != SameSite::Lax),
        ] {
            if is_set && !sets_cookies {
                let problem = "is set, but zookies travel in no cookie; add a `Carrier::Cookie`, or leave it out";
                return Err(InvalidSetting::new(setting, problem));
            }
        }
        if self.same_site == SameSite::None && !self.cookie_names().all(|name| self.is_secure(name)) {
            let problem = "is `None`, and browsers take such a cookie only with `Secure`; set `secure` too";
            return Err(InvalidSetting::new("same_site", problem));
        }
        if self.max_age.is_some_and(|age| age < Duration::from_secs(1)) {
            let problem = "is less than a second, so browsers would drop the cookie at once; choose a longer duration";
            return Err(InvalidSetting::new("max_age", problem));
        }
        Ok(())
    }

    pub(crate) fn is_header_carrier(&self, name: &HeaderName) -> bool {
        let is_it = |place: &Carrier| matches!(place, Carrier::Header(carrier) if carrier == name);
        self.places.iter().any(is_it)
    }

    /// The places, in order.
    pub fn places(&self) -> &[Carrier] {
        &self.places
    }

    /// Calls `each` with the text of every zookie in a request, place by place. This includes repeated headers, cookies
    /// and parameters, and comma-separated parts. A value that is not text is an error, and an empty value is empty
    /// text: the caller did send something, so neither counts as "no token".
    ///
    /// Header values are not copied. If no place holds a zookie, nothing is allocated, except for parameters with
    /// percent escapes in their names.
    ///
    /// # Errors
    ///
    /// [`TooManyTokens`](TokenErrorKind::TooManyTokens) beyond [`max_tokens`](Self::max_tokens). `each` has then been
    /// called for the tokens within the limit.
    pub fn visit(
        &self,
        headers: &HeaderMap,
        uri: &Uri,
        each: impl FnMut(Source, Result<&str, TokenError>),
    ) -> Result<(), TokenError> {
        self.visit_with(headers, uri, self.outline(uri), each)
    }

    pub(crate) fn outline(&self, uri: &Uri) -> Outline {
        Outline::of(uri, |name| self.is_query_carrier(name))
    }

    /// [`visit`](Self::visit), with an outline of the query.
    pub(crate) fn visit_with(
        &self,
        headers: &HeaderMap,
        uri: &Uri,
        query: Outline,
        mut each: impl FnMut(Source, Result<&str, TokenError>),
    ) -> Result<(), TokenError> {
        let max = self.max_tokens;
        let mut left = max;
        let mut show = |source, text: Result<&str, TokenError>| {
            left = left.checked_sub(1).ok_or(TokenErrorKind::TooManyTokens { max })?;
            each(source, text);
            Ok(())
        };
        for place in &self.places {
            match place {
                Carrier::Query(_) if !query.zookies => {}
                Carrier::Header(name) => {
                    for value in headers.get_all(name) {
                        match std::str::from_utf8(value.as_bytes()) {
                            Ok(one) if !has_comma(one) => show(Source::Header, Ok(one.trim_ascii()))?,
                            Ok(list) => list
                                .split(',')
                                .try_for_each(|text| show(Source::Header, Ok(text.trim_ascii())))?,
                            Err(e) => show(
                                Source::Header,
                                Err(TokenError::malformed("the header is not text").with_source(e)),
                            )?,
                        }
                    }
                }
                Carrier::Cookie(name) => cookies::values(headers, name, |text| show(Source::Cookie, text))?,
                Carrier::Query(name) => query::values(uri, name, |text| show(Source::Query, Ok(text)))?,
            }
        }
        Ok(())
    }

    /// Removes the zookies from all places of a request. Other cookies and query parameters stay byte for byte.
    pub(crate) fn strip(&self, headers: &mut HeaderMap, uri: &mut Uri) {
        for place in &self.places {
            if let Carrier::Header(name) = place {
                headers.remove(name);
            }
        }
        cookies::strip(headers, |name| self.is_cookie_carrier(name));
        query::strip(uri, |name| self.is_query_carrier(name));
    }

    /// Replaces all zookies of a request by one, in the first place.
    ///
    /// # Errors
    ///
    /// [`Malformed`](TokenErrorKind::Malformed) if the zookie does not fit into the request's URI. The request then has
    /// no zookie, and must not be forwarded as if it demanded nothing.
    pub fn replace(&self, headers: &mut HeaderMap, uri: &mut Uri, zookie: &Zookie) -> Result<(), TokenError> {
        self.strip(headers, uri);
        match self.places.first() {
            Some(Carrier::Header(name)) => {
                headers.insert(name.clone(), zookie.to_header_value());
                Ok(())
            }
            Some(Carrier::Cookie(name)) => cookies::append(headers, name, zookie),
            Some(Carrier::Query(name)) => query::append(uri, name, zookie),
            None => Ok(()),
        }
    }

    /// Puts what `other` returns in place of each zookie of a request for which it returns something. All else stays byte for
    /// byte.
    pub(crate) fn replace_each(
        &self,
        headers: &mut HeaderMap,
        uri: &mut Uri,
        other: impl for<'a> Fn(&'a str) -> Option<&'a str>,
    ) {
        for place in &self.places {
            if let Carrier::Header(name) = place {
                replace_in_header(headers, name, &other);
            }
        }
        cookies::replace_each(headers, |name| self.is_cookie_carrier(name), &other);
        query::replace_each(uri, |name| self.is_query_carrier(name), &other);
    }

    /// Sets a reply's zookie in its headers, in place of any other zookie.
    pub(crate) fn set_headers(&self, headers: &mut HeaderMap, zookie: &Zookie) {
        for place in &self.places {
            if let Carrier::Header(name) = place {
                headers.insert(name.clone(), zookie.to_header_value());
            }
        }
    }

    /// Sets the zookies of a reply in its headers, in place of any other zookie. Several ones, which have no join, are
    /// comma-separated, as a request may have them.
    pub(crate) fn set_header_lists(&self, headers: &mut HeaderMap, zookies: &[Zookie]) {
        let Some(list) = Zookie::list(zookies) else { return };
        for place in &self.places {
            if let Carrier::Header(name) = place {
                headers.insert(name.clone(), list.clone());
            }
        }
    }

    /// The first header in which zookies travel.
    pub(crate) fn first_header(&self) -> Option<&HeaderName> {
        self.places.iter().find_map(|place| match place {
            Carrier::Header(name) => Some(name),
            _ => None,
        })
    }

    /// The limit of tokens in one request.
    pub(crate) fn most_tokens(&self) -> usize {
        self.max_tokens
    }

    /// Whether zookies travel in a cookie.
    pub(crate) fn have_cookie(&self) -> bool {
        self.cookie_names().next().is_some()
    }

    /// Adds the cookies of these zookies to a reply, beside all other cookies that it sets. Several zookies, which have
    /// no join, are comma-separated in one cookie.
    ///
    /// # Errors
    ///
    /// [`TooLong`](TokenErrorKind::TooLong) if a browser would not store the cookie (over 4096 bytes, its name
    /// included). No cookie is set then.
    pub(crate) fn set_cookies(&self, headers: &mut HeaderMap, zookies: &[Zookie]) -> Result<(), TokenError> {
        let texts: Vec<&str> = zookies.iter().map(Zookie::as_str).collect();
        let value = texts.join(",");
        let cookies: Vec<HeaderValue> = self
            .cookie_names()
            .map(|name| cookies::set_cookie(name, &value, self.is_secure(name), self.same_site, self.max_age))
            .collect::<Result<_, _>>()?;
        for cookie in cookies {
            headers.append(header::SET_COOKIE, cookie);
        }
        Ok(())
    }

    /// The cookies of one `Cookie` header line that are not zookies, as `name=value`, byte for byte.
    pub(crate) fn cookies_without<'a>(&'a self, line: &'a HeaderValue) -> impl Iterator<Item = &'a [u8]> {
        cookies::pairs(line)
            .map(<[u8]>::trim_ascii)
            .filter(|pair| !pair.is_empty() && !self.is_cookie_carrier(cookies::name(pair)))
    }

    /// Whether zookies travel in the query parameter with this decoded name.
    pub fn is_query_carrier(&self, name: &str) -> bool {
        self.places
            .iter()
            .any(|place| matches!(place, Carrier::Query(carrier) if carrier == name))
    }

    fn is_cookie_carrier(&self, name: &[u8]) -> bool {
        self.cookie_names().any(|carrier| carrier.as_bytes() == name)
    }

    fn is_secure(&self, cookie: &str) -> bool {
        self.secure || cookie.starts_with("__Secure-") || cookie.starts_with("__Host-")
    }

    fn cookie_names(&self) -> impl Iterator<Item = &str> {
        self.places.iter().filter_map(|place| match place {
            Carrier::Cookie(name) => Some(name.as_str()),
            _ => None,
        })
    }
}

fn replace_in_header(headers: &mut HeaderMap, name: &HeaderName, other: &impl for<'a> Fn(&'a str) -> Option<&'a str>) {
    let replaced = |value: &HeaderValue| replaced_in_list(value.to_str().ok()?, other);
    let values: Vec<_> = headers
        .get_all(name)
        .iter()
        .map(|value| (value, replaced(value)))
        .collect();
    if values.iter().all(|(_, replaced)| replaced.is_none()) {
        return;
    }
    let values = values.into_iter().map(|(value, replaced)| {
        let replaced = replaced.and_then(|text| HeaderValue::try_from(text).ok());
        replaced.unwrap_or_else(|| value.clone())
    });
    let values: Vec<HeaderValue> = values.collect();
    headers.remove(name);
    for value in values {
        headers.append(name, value);
    }
}

/// A comma-separated list of tokens with others in place of some. `None`: all stay.
fn replaced_in_list(list: &str, other: &impl for<'a> Fn(&'a str) -> Option<&'a str>) -> Option<String> {
    let texts = || list.split(',').map(str::trim_ascii);
    texts().any(|text| other(text).is_some()).then(|| {
        let texts: Vec<&str> = texts().map(|text| other(text).unwrap_or(text)).collect();
        texts.join(",")
    })
}

/// Reads every byte without an early exit, so that the compiler can vectorize it.
fn has_comma(text: &str) -> bool {
    text.bytes().fold(false, |found, byte| found | (byte == b','))
}

/// Whether a header says something else, which a zookie would overwrite in requests or in replies.
fn has_another_meaning(name: &str) -> bool {
    const OTHERS: [&str; 47] = [
        "age",
        "allow",
        "alt-svc",
        "authorization",
        "baggage",
        "cache-control",
        "cache-status",
        "connection",
        "cookie",
        "date",
        "digest",
        "etag",
        "expect",
        "expires",
        "forwarded",
        "from",
        "host",
        "keep-alive",
        "last-modified",
        "link",
        "location",
        "max-forwards",
        "origin",
        "pragma",
        "prefer",
        "range",
        "referer",
        "retry-after",
        "server",
        "set-cookie",
        "signature",
        "signature-input",
        "te",
        "traceparent",
        "tracestate",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "vary",
        "via",
        "warning",
        "www-authenticate",
        "x-request-id",
        "x-rewrite-url",
        // The layers' own.
        "zookie-consistency",
        "zookie-session",
    ];
    const FAMILIES: [&str; 11] = [
        "accept",
        "access-control-",
        "content-",
        "grpc-",
        "if-",
        "proxy-",
        "sec-",
        "x-b3-",
        "x-forwarded-",
        "x-http-method",
        "x-original-",
    ];
    OTHERS.contains(&name) || FAMILIES.iter().any(|family| name.starts_with(family)) || name == "x-method-override"
}

/// Stricter than the cookie standard: only names that percent-encoding does not change.
fn is_cookie_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}
