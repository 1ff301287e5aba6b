//! What a SpiceDB sends, at the level of headers, frames and trailers.

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Response};
use http_body_util::{BodyExt, Full};

use crate::server::Body;

pub(crate) fn frame(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(message.len() + 5);
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap());
    framed.put_slice(message);
    framed.freeze()
}

pub(crate) fn succeeded(message: &[u8]) -> Response<Body> {
    let mut trailers = HeaderMap::new();
    for (name, value) in [
        ("grpc-status", "0"),
        ("grpc-message", ""),
        ("x-request-id", "of-the-leader"),
        ("io.spicedb.respmeta.dispatchedoperationscount", "5"),
        ("io.spicedb.respmeta.cachedoperationscount", "2"),
    ] {
        trailers.insert(name, HeaderValue::from_static(value));
    }
    let body = Full::from(frame(message)).with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut response = Response::new(body.boxed_unsync());
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/grpc"));
    headers.insert("server", HeaderValue::from_static("spicedb"));
    response
}

/// Trailers only.
pub(crate) fn failed(code: i32, why: &str) -> Response<Body> {
    let mut response = Response::new(Full::default().boxed_unsync());
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-status", HeaderValue::from(code));
    headers.insert("grpc-message", HeaderValue::from_str(why).unwrap());
    headers.insert("x-request-id", HeaderValue::from_static("of-the-leader"));
    response
}
