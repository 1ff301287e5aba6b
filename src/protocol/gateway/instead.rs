use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http::request::Parts as Head;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Uri};

/// Turns a head into one that posts `body` to another path.
pub(in crate::protocol) fn post_instead(head: &mut Head, path: PathAndQuery, body: &Bytes) -> Option<()> {
    let mut uri = head.uri.clone().into_parts();
    uri.path_and_query = Some(path);
    head.uri = Uri::from_parts(uri).ok()?;
    head.method = Method::POST;
    head.headers.remove(TRANSFER_ENCODING);
    head.headers
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    head.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    Some(())
}
