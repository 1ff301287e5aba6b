use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::combinators::WithTrailers;
use http_body_util::{BodyExt, Full};
use tower::Service;
use tower_zookie_testing::frame::framed;
use tower_zookie_testing::spicedb::messages::{CheckPermissionResponse, HAS_PERMISSION, ZedToken};

/// A ZedToken of SpiceDB on PostgreSQL.
const ZED_TOKEN: &str = "GiQKGENJSUlJSUVJS0lDaytKK0dpZnowR0E9PRIIZmE1ZmY1NWI=";

/// Answers every check as SpiceDB would.
#[derive(Clone, Default)]
pub(crate) struct Checks;

impl Service<Request<Full<Bytes>>> for Checks {
    type Response = Response<WithTrailers<Full<Bytes>, Ready<Option<Result<HeaderMap, Infallible>>>>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Full<Bytes>>) -> Self::Future {
        let reply = framed(&CheckPermissionResponse {
            checked_at: Some(ZedToken::new(ZED_TOKEN)),
            permissionship: HAS_PERMISSION,
            ..CheckPermissionResponse::default()
        });
        let trailers = HeaderMap::from_iter([
            ("grpc-status".parse().expect("a name"), HeaderValue::from_static("0")),
            ("grpc-message".parse().expect("a name"), HeaderValue::from_static("")),
        ]);
        let mut response = Response::new(Full::new(reply).with_trailers(ready(Some(Ok(trailers)))));
        let content_type = HeaderValue::from_static("application/grpc");
        response.headers_mut().insert("content-type", content_type);
        ready(Ok(response))
    }
}
