use std::convert::Infallible;
use std::future::ready;

use http::{HeaderMap, HeaderName, HeaderValue, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::UnboundedReceiverStream;

use crate::frame::frame;
use crate::grpc::Body;

fn reply(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let content_type = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert("content-type", content_type);
    response
}

/// A message, and more trailers than those that every call has.
pub fn succeeded(message: &[u8], more: &[(&'static str, &'static str)]) -> Response<Body> {
    let trailers = [("grpc-status", "0"), ("grpc-message", "")];
    let trailers = trailers.iter().chain(more);
    let trailers: HeaderMap = trailers
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect();
    let body = Full::from(frame(message)).with_trailers(ready(Some(Ok(trailers))));
    reply(body.boxed_unsync())
}

/// Trailers only.
pub fn failed(code: i32, why: &str) -> Response<Body> {
    let mut response = reply(Full::default().boxed_unsync());
    let headers = response.headers_mut();
    headers.insert("grpc-status", HeaderValue::from(code));
    headers.insert("grpc-message", HeaderValue::from_str(why).unwrap());
    response
}

/// Messages in the order received, until the sender is dropped.
pub fn stream(messages: UnboundedReceiver<Vec<u8>>) -> Response<Body> {
    let frames =
        UnboundedReceiverStream::new(messages).map(|message| Ok::<_, Infallible>(Frame::data(frame(&message))));
    reply(StreamBody::new(frames).boxed_unsync())
}
