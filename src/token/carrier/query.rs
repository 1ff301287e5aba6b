use std::borrow::Cow;

use form_urlencoded::byte_serialize;
use http::uri::{PathAndQuery, Uri};

use crate::token::{TokenError, Zookie};

fn pairs(uri: &Uri) -> impl Iterator<Item = &str> {
    uri.query().into_iter().flat_map(|query| query.split('&'))
}

/// The decoded name and value of `name=value`.
fn decode(pair: &str) -> Option<(Cow<'_, str>, Cow<'_, str>)> {
    form_urlencoded::parse(pair.as_bytes()).next()
}

/// The decoded name of `name=value`, without decoding the value.
pub(crate) fn parameter_name(pair: &str) -> Cow<'_, str> {
    let name = pair.split_once('=').map_or(pair, |(name, _)| name);
    if name.contains(['%', '+']) {
        decode(name).map_or(Cow::Borrowed(""), |(name, _)| name)
    } else {
        Cow::Borrowed(name)
    }
}

/// Shows `each` the decoded value of every parameter called `carrier`.
pub(super) fn values(
    uri: &Uri,
    carrier: &str,
    mut each: impl FnMut(&str) -> Result<(), TokenError>,
) -> Result<(), TokenError> {
    for pair in pairs(uri).filter(|pair| is_named(pair, carrier)) {
        let value = decode(pair).map_or(Cow::Borrowed(""), |(_, value)| value);
        // No token has spaces: where one is, the caller sent the plus sign of base64 as it is.
        if value.contains(' ') {
            each(&value.replace(' ', "+"))?;
        } else {
            each(&value)?;
        }
    }
    Ok(())
}

fn is_named(pair: &str, carrier: &str) -> bool {
    parameter_name(pair) == carrier
}

/// Takes every parameter whose name is `ours` out of the query; a URI without one is not touched.
pub(super) fn strip(uri: &mut Uri, ours: impl Fn(&str) -> bool) {
    let is_ours = |pair: &str| ours(&parameter_name(pair));
    if !pairs(uri).any(is_ours) {
        return;
    }
    let others: Vec<&str> = pairs(uri).filter(|pair| !is_ours(pair)).collect();
    let query = (!others.is_empty()).then(|| others.join("&"));
    // Less of a valid URI is a valid URI.
    if let Ok(changed) = with_query(uri, query.as_deref()) {
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
