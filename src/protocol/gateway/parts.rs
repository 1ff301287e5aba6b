use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, HeaderName};

use crate::cache::{FingerprintBuilder, Part};
use crate::protocol::call::{Key, Unreadable};
use crate::protocol::parts;

/// Headers that the gateway hands on as metadata begin so.
const METADATA: &str = "grpc-metadata-";

/// What each fingerprint of a request begins with: all of its head that can change an answer. The path counts as it is
/// spelled, because what stands between here and the gateway may tell apart what the gateway does not.
pub(in crate::protocol) fn prefix(
    system: &str,
    parts: &Parts,
    key: &Key<'_>,
) -> Result<FingerprintBuilder, Unreadable> {
    let mut fingerprint = key.base.clone().text(Part::System, system);
    fingerprint.add(Part::Method, parts.uri.path().as_bytes());
    fingerprint.add(Part::Header, json_parameters(&parts.headers)?.as_bytes());
    parts::query(&mut fingerprint, &parts.uri, key)?;
    add_metadata(&mut fingerprint, &parts.headers);
    Ok(fingerprint)
}

/// The gateway takes a body without a type for JSON. It would take one of another type for JSON too, but what stands
/// between may not.
pub(in crate::protocol) fn json_parameters(headers: &HeaderMap) -> Result<&str, Unreadable> {
    if headers.contains_key(CONTENT_TYPE) || parts::is_encoded(headers) {
        parts::json_parameters(headers)
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
fn add_metadata(fingerprint: &mut FingerprintBuilder, headers: &HeaderMap) {
    let mut names: Vec<_> = metadata(headers).map(|(header, _)| header).collect();
    names.sort_unstable_by_key(|name| name.as_str());
    for name in names {
        parts::header(fingerprint, headers, name);
    }
}
