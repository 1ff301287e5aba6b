//! Where zookies travel: headers (gRPC metadata is headers too), cookies, queries.

mod cookies;
mod query;
#[cfg(test)]
mod tests;

use std::time::Duration;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::Uri;

use crate::token::error::{TokenError, TokenErrorKind};
use crate::token::zookie::Zookie;

pub(crate) use query::{Outline, parameters};

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
pub enum Source {
    /// In a header or in gRPC metadata.
    Header,
    /// In a cookie, which a browser sends by itself.
    Cookie,
    /// In the query.
    Query,
}

impl Source {
    /// Whether the caller put it there for this request: anything but a cookie.
    pub fn is_explicit(self) -> bool {
        self != Self::Cookie
    }
}

/// Why places can't be [`Carriers`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCarrier {
    /// A header with a meaning of its own, which a zookie would destroy.
    #[error("the header `{0}` has a meaning of its own; let zookies travel in one of their own, such as `zookie`")]
    ReservedHeader(HeaderName),
    /// Cookies are named with letters, digits and `- _ .`.
    #[error("`{0}` is no name for a zookie's cookie; use letters, digits and - _ .")]
    CookieName(String),
    /// Query parameters have a name.
    #[error("the query parameter's name is empty; give it one, such as `zookie`")]
    EmptyQueryName,
    /// The same place twice.
    #[error("{0:?} is there twice; name it once")]
    Repeated(Carrier),
}

/// The places where zookies travel, in order.
///
/// By default: the header `zookie`, the cookie `zookie`, and the query parameters `zookie` and `token`. Cookies are set
/// with `Path=/; HttpOnly; SameSite=Lax`.
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
    /// The most tokens that are read of one request unless a setting says otherwise.
    pub const DEFAULT_MAX_TOKENS: usize = 8;

    /// These places; none at all means that zookies travel in messages only.
    ///
    /// # Errors
    ///
    /// [`InvalidCarrier`] for a header that means something else, a name that can't be one, and a place that comes
    /// twice.
    pub fn new(places: impl IntoIterator<Item = Carrier>) -> Result<Self, InvalidCarrier> {
        let mut valid = Vec::new();
        for place in places {
            match &place {
                Carrier::Header(name) if RESERVED.contains(name) => {
                    return Err(InvalidCarrier::ReservedHeader(name.clone()));
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
            max_tokens: Self::DEFAULT_MAX_TOKENS,
            secure: false,
            max_age: None,
        }
    }

    /// The most tokens that are read of one request; [`DEFAULT_MAX_TOKENS`](Self::DEFAULT_MAX_TOKENS) unless set.
    #[must_use]
    pub fn max_tokens(mut self, tokens: usize) -> Self {
        self.max_tokens = tokens;
        self
    }

    /// Whether cookies are set with `Secure`: never sent over plain HTTP. Off unless set, but for cookies whose name
    /// begins with `__Secure-` or `__Host-`, which browsers take in no other way.
    #[must_use]
    pub fn secure(mut self, secure: bool) -> Self {
        self.secure = secure;
        self
    }

    /// How long browsers keep the cookie, in whole seconds; until they are closed unless set.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// The places, in order.
    pub fn places(&self) -> &[Carrier] {
        &self.places
    }

    /// Shows `each` the text of every zookie in a request, place by place: repeated headers and cookies, their
    /// comma-separated parts, and repeated parameters too. What can't even be text, or is there and empty, is shown
    /// as what it is: something was sent, so it never counts as "no token".
    ///
    /// Header values are shown without copying them, and nothing is allocated where no place holds a zookie (but for
    /// parameters whose very names are percent-escaped).
    ///
    /// # Errors
    ///
    /// [`TooManyTokens`](TokenErrorKind::TooManyTokens) beyond [`max_tokens`](Self::max_tokens); those within were
    /// shown.
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

    /// [`visit`](Self::visit), where the query is known already.
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

    /// Takes the zookies out of all places of a request. Other cookies and query parameters stay byte for byte.
    pub fn strip(&self, headers: &mut HeaderMap, uri: &mut Uri) {
        for place in &self.places {
            if let Carrier::Header(name) = place {
                headers.remove(name);
            }
        }
        cookies::strip(headers, |name| self.is_cookie_carrier(name));
        query::strip(uri, |name| self.is_query_carrier(name));
    }

    /// Puts one zookie into a request instead of all that it bears: into the first place.
    ///
    /// # Errors
    ///
    /// [`Malformed`](TokenErrorKind::Malformed) if the request's URI has no room or no place for it. The request then
    /// bears no zookie, and must not go on as if it had demanded nothing.
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

    /// Puts a reply's zookie into its headers, in place of any that is there.
    pub fn set_headers(&self, headers: &mut HeaderMap, zookie: &Zookie) {
        for place in &self.places {
            if let Carrier::Header(name) = place {
                headers.insert(name.clone(), zookie.to_header_value());
            }
        }
    }

    /// Has a reply set the cookies of these zookies, beside all others that it sets. Several, which have no join, stand side
    /// by side in one cookie, with commas between them.
    ///
    /// # Errors
    ///
    /// [`TooLong`](TokenErrorKind::TooLong) if a browser would not keep the cookie (over 4096 bytes, its name
    /// included): then nothing is set.
    pub fn set_cookies(&self, headers: &mut HeaderMap, zookies: &[Zookie]) -> Result<(), TokenError> {
        let secure = |name: &str| self.secure || name.starts_with("__Secure-") || name.starts_with("__Host-");
        let texts: Vec<&str> = zookies.iter().map(Zookie::as_str).collect();
        let value = texts.join(",");
        let cookies: Vec<HeaderValue> = self
            .cookie_names()
            .map(|name| cookies::set_cookie(name, &value, secure(name), self.max_age))
            .collect::<Result<_, _>>()?;
        for cookie in cookies {
            headers.append(header::SET_COOKIE, cookie);
        }
        Ok(())
    }

    /// The cookies of one `Cookie` header line that are no zookies, as `name=value`, byte for byte.
    pub fn cookies_without<'a>(&'a self, line: &'a HeaderValue) -> impl Iterator<Item = &'a [u8]> {
        cookies::pairs(line)
            .map(<[u8]>::trim_ascii)
            .filter(|pair| !pair.is_empty() && !self.is_cookie_carrier(cookies::name(pair)))
    }

    /// Whether zookies travel in the query parameter of this name, which has no percent escapes any more.
    pub fn is_query_carrier(&self, name: &str) -> bool {
        self.places
            .iter()
            .any(|place| matches!(place, Carrier::Query(carrier) if carrier == name))
    }

    fn is_cookie_carrier(&self, name: &[u8]) -> bool {
        self.cookie_names().any(|carrier| carrier.as_bytes() == name)
    }

    fn cookie_names(&self) -> impl Iterator<Item = &str> {
        self.places.iter().filter_map(|place| match place {
            Carrier::Cookie(name) => Some(name.as_str()),
            _ => None,
        })
    }
}

/// Looks at every byte, which compilers make into looking at many at once.
fn has_comma(text: &str) -> bool {
    text.bytes().fold(false, |found, byte| found | (byte == b','))
}

/// Zookies replace what these say, and a request would not survive it.
const RESERVED: [HeaderName; 14] = [
    header::ACCEPT,
    header::AUTHORIZATION,
    header::CACHE_CONTROL,
    header::CONNECTION,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::COOKIE,
    header::HOST,
    header::PROXY_AUTHORIZATION,
    header::SET_COOKIE,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Narrower than what cookies allow: names that look the same percent-encoded.
fn is_cookie_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}
