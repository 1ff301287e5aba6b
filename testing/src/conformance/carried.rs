//! Whole messages on both sides of the layer.

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::Body;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};

/// A reply as a server sends it.
pub(super) type Sent = Response<BoxBody<Bytes, Infallible>>;

/// Moves the trailers from the extensions to the end of the body.
pub(super) fn sent(reply: Response<Bytes>) -> Sent {
    let (mut parts, body) = reply.into_parts();
    let trailers: Option<HeaderMap> = parts.extensions.remove();
    let body = Full::new(body).with_trailers(async { trailers.map(Ok) });
    Response::from_parts(parts, body.boxed())
}

/// Reads a reply to its end.
pub(super) async fn read<B: Body<Data = Bytes>>(reply: Response<B>) -> Option<Response<Bytes>> {
    let (mut parts, body) = reply.into_parts();
    let body = body.collect().await.ok()?;
    if let Some(trailers) = body.trailers() {
        parts.extensions.insert(trailers.clone());
    }
    Some(Response::from_parts(parts, body.to_bytes()))
}
