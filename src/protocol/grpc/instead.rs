use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Uri};

/// What describes the encoding of a call, and not that of the call in its stead.
const ENCODINGS: [HeaderName; 2] = [
    HeaderName::from_static("grpc-encoding"),
    HeaderName::from_static("grpc-accept-encoding"),
];

/// Turns a head into one that calls the method of this path, with a body that is not compressed.
pub(in crate::protocol) fn call_instead(parts: &mut Parts, path: &'static str, body: &Bytes) -> Option<()> {
    let mut uri = parts.uri.clone().into_parts();
    uri.path_and_query = Some(PathAndQuery::from_static(path));
    parts.uri = Uri::from_parts(uri).ok()?;
    for name in ENCODINGS {
        parts.headers.remove(name);
    }
    if parts.headers.contains_key(CONTENT_LENGTH) {
        parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    Some(())
}
