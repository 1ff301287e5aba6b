use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::request::Parts as Head;
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Uri};

/// What describes the encoding of a call, and not that of the call in its stead.
const ENCODINGS: [HeaderName; 2] = [
    HeaderName::from_static("grpc-encoding"),
    HeaderName::from_static("grpc-accept-encoding"),
];

/// Turns a head into one that calls the method of this path, with a body that is not compressed.
pub(in crate::protocol) fn call_instead(head: &mut Head, path: &'static str, body: &Bytes) -> Option<()> {
    let mut uri = head.uri.clone().into_parts();
    uri.path_and_query = Some(PathAndQuery::from_static(path));
    head.uri = Uri::from_parts(uri).ok()?;
    for name in ENCODINGS {
        head.headers.remove(name);
    }
    if head.headers.contains_key(CONTENT_LENGTH) {
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    Some(())
}
