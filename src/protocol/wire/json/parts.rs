use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, HeaderName};

use crate::cache::{FingerprintBuilder, Named, Part};
use crate::protocol::call::{Key, Unreadable};
use crate::protocol::kit::parts;

/// The prefix of headers that the gateway passes on as metadata.
const METADATA: &str = "grpc-metadata-";

/// The start of each fingerprint of a request: everything in its method, URI and headers that can change an answer. The
/// path is hashed as it is spelled, because a proxy before the gateway may distinguish paths that the gateway does not.
pub(super) fn prefix(
    system: FingerprintBuilder,
    parts: &Parts,
    key: &Key<'_>,
) -> Result<FingerprintBuilder, Unreadable> {
    let mut fingerprint = system;
    let parameters = json_parameters(&parts.headers)?;
    fingerprint.note(Named::Endpoint, "path", parts.uri.path().as_bytes());
    fingerprint.note(Named::Header, "content-type", parameters.as_bytes());
    fingerprint.add(Part::Method, parts.uri.path().as_bytes());
    fingerprint.add(Part::Header, parameters.as_bytes());
    parts::query(&mut fingerprint, &parts.uri, key)?;
    add_metadata(&mut fingerprint, &parts.headers);
    Ok(fingerprint)
}

/// The gateway reads a body without a content type as JSON. It would also read a body of another type as JSON, but a
/// proxy before it may not.
pub(super) fn json_parameters(headers: &HeaderMap) -> Result<&str, Unreadable> {
    if headers.contains_key(CONTENT_TYPE) || parts::is_encoded(headers) {
        parts::json_parameters(headers)
    } else {
        Ok("")
    }
}

/// The headers that the gateway passes on as metadata, and the names of that metadata.
pub(super) fn metadata(headers: &HeaderMap) -> impl Iterator<Item = (&HeaderName, &str)> {
    headers
        .keys()
        .filter_map(|header| Some((header, header.as_str().strip_prefix(METADATA)?)))
}

/// Adds the metadata, which may contain credentials and anything else that the server reads.
fn add_metadata(fingerprint: &mut FingerprintBuilder, headers: &HeaderMap) {
    let mut names: Vec<_> = metadata(headers).map(|(header, _)| header).collect();
    names.sort_unstable_by_key(|name| name.as_str());
    for name in names {
        parts::header(fingerprint, headers, name);
    }
}
