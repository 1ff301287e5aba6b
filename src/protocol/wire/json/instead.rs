use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Uri};

/// Turns the parts of a request into those of another call with this body.
pub(super) fn call_instead(parts: &mut Parts, method: &Method, path: PathAndQuery, body: &Bytes) -> Option<()> {
    let mut uri = parts.uri.clone().into_parts();
    uri.path_and_query = Some(path);
    parts.uri = Uri::from_parts(uri).ok()?;
    parts.method = method.clone();
    parts.headers.remove(TRANSFER_ENCODING);
    parts
        .headers
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    Some(())
}
