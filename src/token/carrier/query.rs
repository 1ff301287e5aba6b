use std::borrow::Cow;

use form_urlencoded::byte_serialize;
use http::uri::{PathAndQuery, Uri};

use crate::names::Names;
use crate::token::error::TokenError;
use crate::token::zookie::Zookie;

/// What one pass over the names of a query finds. Most queries have no zookie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outline {
    /// A parameter is a zookie.
    pub(crate) zookies: bool,
    /// Two parameters that are not zookies have the same name.
    pub(crate) repeated: bool,
}

impl Outline {
    pub(super) fn of(uri: &Uri, is_zookie: impl Fn(&str) -> bool) -> Self {
        let mut zookies = false;
        let mut names = Names::default();
        for name in parameters(uri).map(Parameter::name) {
            if is_zookie(&name) {
                zookies = true;
            } else {
                names.push(name);
            }
        }
        Self {
            zookies,
            repeated: names.repeated(),
        }
    }
}

/// A parameter, not decoded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parameter<'a> {
    pub(crate) text: &'a str,
    name: &'a str,
    escaped: bool,
}

impl<'a> Parameter<'a> {
    /// The decoded name.
    pub(crate) fn name(self) -> Cow<'a, str> {
        if self.escaped {
            decode(self.name).map_or(Cow::Borrowed(""), |(name, _)| name)
        } else {
            Cow::Borrowed(self.name)
        }
    }
}

/// The parameters of a URI.
pub(crate) fn parameters(uri: &Uri) -> impl Iterator<Item = Parameter<'_>> + Clone {
    let mut rest = uri.query();
    std::iter::from_fn(move || {
        let query = rest?;
        let bytes = query.as_bytes();
        let (mut name_end, mut escaped) = (0, false);
        while let Some(byte) = bytes.get(name_end) {
            match byte {
                b'=' | b'&' => break,
                b'%' | b'+' => escaped = true,
                _ => {}
            }
            name_end += 1;
        }
        let value = bytes[name_end..].iter().position(|byte| *byte == b'&');
        let end = value.map_or(bytes.len(), |len| name_end + len);
        rest = query.get(end + 1..);
        Some(Parameter {
            text: &query[..end],
            name: &query[..name_end],
            escaped,
        })
    })
}

/// The decoded name and value of `name=value`.
fn decode(pair: &str) -> Option<(Cow<'_, str>, Cow<'_, str>)> {
    form_urlencoded::parse(pair.as_bytes()).next()
}

/// Calls `each` with the decoded value of every parameter named `carrier`.
pub(super) fn values(
    uri: &Uri,
    carrier: &str,
    mut each: impl FnMut(&str) -> Result<(), TokenError>,
) -> Result<(), TokenError> {
    for parameter in parameters(uri).filter(|parameter| parameter.name() == carrier) {
        let value = decode(parameter.text).map_or(Cow::Borrowed(""), |(_, value)| value);
        // A token has no spaces. A space comes from a plus sign of base64 that the caller did not escape.
        if value.contains(' ') {
            each(&value.replace(' ', "+"))?;
        } else {
            each(&value)?;
        }
    }
    Ok(())
}

/// Removes every parameter whose name is `ours` from the query. A URI without such a parameter stays unmodified.
pub(super) fn strip(uri: &mut Uri, ours: impl Fn(&str) -> bool) {
    let is_ours = |parameter: &Parameter<'_>| ours(&parameter.name());
    if !parameters(uri).any(|parameter| is_ours(&parameter)) {
        return;
    }
    let others = parameters(uri).filter(|parameter| !is_ours(parameter));
    let others: Vec<&str> = others.map(|parameter| parameter.text).collect();
    let query = (!others.is_empty()).then(|| others.join("&"));
    // A part of a valid query is a valid query.
    if let Ok(changed) = with_query(uri, query.as_deref()) {
        *uri = changed;
    }
}

/// Puts others in place of some of the tokens in parameters whose name is `ours`. Other parameters stay unmodified.
pub(super) fn replace_each(
    uri: &mut Uri,
    ours: impl Fn(&str) -> bool,
    other: &impl for<'a> Fn(&'a str) -> Option<&'a str>,
) {
    let replaced = |parameter: &Parameter<'_>| {
        let (name, value) = decode(parameter.text).filter(|(name, _)| ours(name))?;
        let token = other(&value)?;
        let mut text: String = byte_serialize(name.as_bytes()).collect();
        text.push('=');
        text.extend(byte_serialize(token.as_bytes()));
        Some(text)
    };
    if !parameters(uri).any(|parameter| replaced(&parameter).is_some()) {
        return;
    }
    let all = parameters(uri).map(|parameter| replaced(&parameter).unwrap_or_else(|| parameter.text.to_owned()));
    let query: Vec<String> = all.collect();
    // Escaped parameters are a valid query.
    if let Ok(changed) = with_query(uri, Some(&query.join("&"))) {
        *uri = changed;
    }
}

/// Adds a parameter at the end of the query.
pub(super) fn append(uri: &mut Uri, name: &str, zookie: &Zookie) -> Result<(), TokenError> {
    let mut query = String::new();
    if let Some(others) = uri.query().filter(|others| !others.is_empty()) {
        query.extend([others, "&"]);
    }
    query.extend(byte_serialize(name.as_bytes()));
    query.push('=');
    query.extend(byte_serialize(zookie.as_str().as_bytes()));
    let changed = with_query(uri, Some(&query))
        .map_err(|e| TokenError::malformed("the token does not fit into the URI").with_source(e))?;
    *uri = changed;
    Ok(())
}

fn with_query(uri: &Uri, query: Option<&str>) -> Result<Uri, http::Error> {
    let path = uri.path();
    let text = query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(text)?);
    Ok(Uri::from_parts(parts)?)
}
