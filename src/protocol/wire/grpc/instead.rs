use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, TE};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Request, Uri, Version};

/// Headers that describe the encoding of the original call, not of its replacement.
const ENCODINGS: [HeaderName; 2] = [
    HeaderName::from_static("grpc-encoding"),
    HeaderName::from_static("grpc-accept-encoding"),
];

/// Turns the parts of a request into those of a call to another method, with an uncompressed body.
pub(super) fn call_instead(parts: &mut Parts, path: &'static str, body: &Bytes) -> Option<()> {
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

/// The parts of a call of the layer's own.
pub(super) fn parts_to(path: &'static str) -> Option<Parts> {
    let request = Request::post(path)
        .version(Version::HTTP_2)
        .header(CONTENT_TYPE, "application/grpc")
        .header(TE, "trailers");
    Some(request.body(()).ok()?.into_parts().0)
}
