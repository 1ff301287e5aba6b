//! What callers are connected to: the layer before the upstream.

use std::convert::Infallible;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::header::HOST;
use http::request::Parts;
use http::{Request, Response};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use tower::Service;
use tower_zookie::protocol::Protocol;
use tower_zookie::{ZookieBody, ZookieService};

use super::ending::Ending;
use super::failure::{self, Failure, Form};
use super::hop;
use super::mixups::MixUps;
use super::origin::Origin;
use super::pool::ReplyBody;
use super::upstream::{Forward, RequestBody};

type FrontBody = Either<Ending<ZookieBody<ReplyBody>>, Full<Bytes>>;

#[derive(Clone, Debug)]
pub(crate) struct Front {
    pub(super) service: ZookieService<Forward, Arc<dyn Protocol>>,
    pub(super) origin: Origin,
    pub(super) mix_ups: Arc<MixUps>,
}

impl Front {
    /// The request as the upstream will see it.
    fn forwarded(&self, parts: Parts, body: Incoming) -> Result<Request<RequestBody>, Failure> {
        let parts = as_forwarded(&self.origin, parts).ok_or(Failure::NoPath)?;
        Ok(Request::from_parts(parts, body.boxed_unsync()))
    }
}

/// A request's parts as the upstream will see them. The layer keys what it sees, so it must not see what is not forwarded: a
/// header that `Connection` names, or the name by which the caller knows this sidecar. `None`: it has no path.
pub(super) fn as_forwarded(origin: &Origin, mut parts: Parts) -> Option<Parts> {
    parts.uri = origin.uri(&parts.uri)?;
    parts.headers.remove(HOST);
    hop::strip_request(&mut parts.headers);
    Some(parts)
}

impl hyper::service::Service<Request<Incoming>> for Front {
    type Response = Response<FrontBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (parts, body) = request.into_parts();
        let form = Form::of(&parts);
        self.mix_ups.requested(&parts, form);
        let reply = match self.forwarded(parts, body) {
            // The layer's service is always ready.
            Ok(request) => self.service.clone().call(request),
            Err(failure) => {
                let reply = failure::reply(&failure, form).map(Either::Right);
                return Box::pin(ready(Ok(reply)));
            }
        };
        let mix_ups = Arc::clone(&self.mix_ups);
        Box::pin(async move {
            Ok(match reply.await {
                Ok(reply) => reply.map(|body| Either::Left(Ending::new(body, form))),
                Err(error) => {
                    mix_ups.failed(&error);
                    failure::reply(&error.into(), form).map(Either::Right)
                }
            })
        })
    }
}
