use std::fmt::Display;
use std::time::Duration;

use cookie::Cookie;
use http::header::{COOKIE, HeaderMap, HeaderValue};

use crate::token::carrier::replaced_in_list;
use crate::token::carrier::same_site::SameSite;
use crate::token::error::{TokenError, TokenErrorKind};
use crate::token::zookie::Zookie;

/// The size of a cookie, name and value, that every browser stores (RFC 6265, section 6.1).
const MAX_COOKIE: usize = 4096;

/// The pieces between the semicolons of one `Cookie` line, not trimmed.
pub(super) fn pairs(line: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    line.as_bytes().split(|byte| *byte == b';')
}

/// The name in `name=value`, not decoded; empty if there is no `=`.
pub(super) fn name(pair: &[u8]) -> &[u8] {
    match pair.iter().position(|byte| *byte == b'=') {
        Some(end) => pair[..end].trim_ascii(),
        None => &[],
    }
}

/// Calls `each` with the decoded value of every cookie named `carrier`, of all `Cookie` lines (HTTP/2 splits them).
pub(super) fn values(
    headers: &HeaderMap,
    carrier: &str,
    mut each: impl FnMut(Result<&str, TokenError>) -> Result<(), TokenError>,
) -> Result<(), TokenError> {
    let ours = headers.get_all(COOKIE).into_iter().flat_map(pairs);
    for pair in ours.filter(|pair| name(pair) == carrier.as_bytes()) {
        match decode(pair) {
            Ok(cookie) => {
                let mut texts = cookie.value_trimmed().split(',');
                texts.try_for_each(|text| each(Ok(text.trim_ascii())))?;
            }
            Err(error) => each(Err(error))?,
        }
    }
    Ok(())
}

fn decode(pair: &[u8]) -> Result<Cookie<'_>, TokenError> {
    let text = std::str::from_utf8(pair).map_err(|e| TokenError::malformed("the cookie is not text").with_source(e))?;
    Cookie::parse_encoded(text).map_err(|e| TokenError::malformed("the cookie is not text").with_source(e))
}

/// Removes every cookie whose name is `ours` from the `Cookie` lines. Other lines stay unmodified.
pub(super) fn strip(headers: &mut HeaderMap, ours: impl Fn(&[u8]) -> bool) {
    let is_ours = |pair: &[u8]| ours(name(pair));
    if !headers.get_all(COOKIE).into_iter().flat_map(pairs).any(is_ours) {
        return;
    }
    let lines: Vec<HeaderValue> = headers
        .get_all(COOKIE)
        .into_iter()
        .filter_map(|line| {
            if pairs(line).any(is_ours) {
                without(line, is_ours)
            } else {
                Some(line.clone())
            }
        })
        .collect();
    headers.remove(COOKIE);
    for line in lines {
        headers.append(COOKIE, line);
    }
}

/// Puts others in place of some of the tokens in the cookies whose name is `ours`. Other lines stay unmodified.
pub(super) fn replace_each(
    headers: &mut HeaderMap,
    ours: impl Fn(&[u8]) -> bool,
    other: &impl for<'a> Fn(&'a str) -> Option<&'a str>,
) {
    let replaced = |pair: &[u8]| {
        let cookie = ours(name(pair)).then(|| decode(pair).ok())??;
        let list = replaced_in_list(cookie.value_trimmed(), other)?;
        let cookie = Cookie::new(cookie.name().to_owned(), list);
        Some(cookie.stripped().encoded().to_string().into_bytes())
    };
    if !headers
        .get_all(COOKIE)
        .into_iter()
        .flat_map(pairs)
        .any(|pair| replaced(pair).is_some())
    {
        return;
    }
    let lines = headers.get_all(COOKIE).into_iter().map(|line| {
        let pairs: Vec<Vec<u8>> = pairs(line)
            .map(|pair| replaced(pair).unwrap_or_else(|| pair.trim_ascii().to_vec()))
            .collect();
        let mut value = HeaderValue::from_bytes(&pairs.join(&b"; "[..])).unwrap_or_else(|_| line.clone());
        value.set_sensitive(line.is_sensitive());
        value
    });
    let lines: Vec<HeaderValue> = lines.collect();
    headers.remove(COOKIE);
    for line in lines {
        headers.append(COOKIE, line);
    }
}

fn without(line: &HeaderValue, is_ours: impl Fn(&[u8]) -> bool) -> Option<HeaderValue> {
    let others: Vec<&[u8]> = pairs(line).filter(|pair| !is_ours(pair)).collect();
    let rest = others.join(&b';');
    let rest = rest.trim_ascii();
    let mut value = HeaderValue::from_bytes(rest).ok().filter(|_| !rest.is_empty())?;
    value.set_sensitive(line.is_sensitive());
    Some(value)
}

/// Adds a separate `Cookie` line.
pub(super) fn append(headers: &mut HeaderMap, name: &str, zookie: &Zookie) -> Result<(), TokenError> {
    let cookie = Cookie::new(name, zookie.as_str());
    headers.append(COOKIE, header_value(&cookie.stripped().encoded())?);
    Ok(())
}

/// A `Set-Cookie` line.
pub(super) fn set_cookie(
    name: &str,
    value: &str,
    secure: bool,
    same_site: SameSite,
    max_age: Option<Duration>,
) -> Result<HeaderValue, TokenError> {
    let mut cookie = Cookie::build((name, value))
        .path("/")
        .http_only(true)
        .same_site(match same_site {
            SameSite::Strict => cookie::SameSite::Strict,
            SameSite::Lax => cookie::SameSite::Lax,
            SameSite::None => cookie::SameSite::None,
        })
        .secure(secure)
        .build();
    if let Some(age) = max_age {
        let seconds = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
        cookie.set_max_age(cookie::time::Duration::seconds(seconds));
    }
    let len = cookie.stripped().encoded().to_string().len();
    if len > MAX_COOKIE {
        return Err(TokenErrorKind::TooLong { len, max: MAX_COOKIE }.into());
    }
    header_value(&cookie.encoded())
}

fn header_value(cookie: &impl Display) -> Result<HeaderValue, TokenError> {
    HeaderValue::try_from(cookie.to_string())
        .map_err(|e| TokenError::malformed("the cookie does not fit into a header").with_source(e))
}
