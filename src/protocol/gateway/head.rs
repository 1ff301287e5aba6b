use http::header::CONTENT_TYPE;
use http::request::Parts as Head;
use http::{HeaderMap, HeaderName};

use super::super::{Key, Unreadable, head};
use crate::cache::{Part, Parts};

/// Headers that the gateway hands on as metadata begin so.
const METADATA: &str = "grpc-metadata-";

/// What each fingerprint of a request begins with: all of its head that can change an answer. The path counts as it is
/// spelled, because what stands between here and the gateway may tell apart what the gateway does not.
pub(in crate::protocol) fn prefix(system: &str, head: &Head, key: &Key<'_>) -> Result<Parts, Unreadable> {
    let mut parts = key.base.clone().text(Part::System, system);
    parts.add(Part::Method, head.uri.path().as_bytes());
    parts.add(Part::Header, json_parameters(&head.headers)?.as_bytes());
    head::query(&mut parts, &head.uri, key)?;
    add_metadata(&mut parts, &head.headers);
    Ok(parts)
}

/// The gateway takes a body without a type for JSON. It would take one of another type for JSON too, but what stands
/// between may not.
pub(in crate::protocol) fn json_parameters(headers: &HeaderMap) -> Result<&str, Unreadable> {
    if headers.contains_key(CONTENT_TYPE) || head::is_encoded(headers) {
        head::json_parameters(headers)
    } else {
        Ok("")
    }
}

/// The headers that the gateway hands on as metadata, and what the metadata's names are.
pub(in crate::protocol) fn metadata(headers: &HeaderMap) -> impl Iterator<Item = (&HeaderName, &str)> {
    headers
        .keys()
        .filter_map(|header| Some((header, header.as_str().strip_prefix(METADATA)?)))
}

/// The gateway's metadata may bear credentials, and whatever else the server looks at.
fn add_metadata(parts: &mut Parts, headers: &HeaderMap) {
    let mut names: Vec<_> = metadata(headers).map(|(header, _)| header).collect();
    names.sort_unstable_by_key(|name| name.as_str());
    for name in names {
        head::header(parts, headers, name);
    }
}
