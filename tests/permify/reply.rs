//! What a Permify sends, at the level of headers, frames and trailers.

use std::convert::Infallible;
use std::future::ready;

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::UnboundedReceiverStream;

use crate::server::Body;

pub(crate) fn frame(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(message.len() + 5);
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap());
    framed.put_slice(message);
    framed.freeze()
}

fn reply(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let content_type = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert("content-type", content_type);
    response
}

pub(crate) fn succeeded(message: &[u8]) -> Response<Body> {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    trailers.insert("grpc-message", HeaderValue::from_static(""));
    let body = Full::from(frame(message)).with_trailers(ready(Some(Ok(trailers))));
    reply(body.boxed_unsync())
}

/// Trailers only.
pub(crate) fn failed(code: i32, why: &'static str) -> Response<Body> {
    let mut response = reply(Full::default().boxed_unsync());
    let headers = response.headers_mut();
    headers.insert("grpc-status", HeaderValue::from(code));
    headers.insert("grpc-message", HeaderValue::from_static(why));
    response
}

/// Messages in the order received, until the sender is dropped.
pub(crate) fn stream(messages: UnboundedReceiver<Vec<u8>>) -> Response<Body> {
    let frames =
        UnboundedReceiverStream::new(messages).map(|message| Ok::<_, Infallible>(Frame::data(frame(&message))));
    reply(StreamBody::new(frames).boxed_unsync())
}
