//! What callers are connected to: the layer before the upstream.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use tower::Service;
use tower_zookie::protocol::Protocol;
use tower_zookie::{Zookie, ZookieBody};

use super::ending::Ending;
use super::failure::{self, Form};
use super::hop;
use super::upstream::Forward;

type ReplyBody = Either<Ending<ZookieBody<Incoming>>, Full<Bytes>>;

#[derive(Clone, Debug)]
pub(crate) struct Front {
    service: Zookie<Forward, Arc<dyn Protocol>>,
}

impl Front {
    pub(crate) fn new(service: Zookie<Forward, Arc<dyn Protocol>>) -> Self {
        Self { service }
    }
}

impl hyper::service::Service<Request<Incoming>> for Front {
    type Response = Response<ReplyBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        let form = Form::of(&head);
        hop::strip_request(&mut head.headers);
        // The layer's service is always ready.
        let reply = self
            .service
            .clone()
            .call(Request::from_parts(head, body.boxed_unsync()));
        Box::pin(async move {
            Ok(match reply.await {
                Ok(reply) => reply.map(|body| Either::Left(Ending::new(body, form))),
                Err(error) => failure::reply(&error, form).map(Either::Right),
            })
        })
    }
}
