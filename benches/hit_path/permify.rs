//! Permify's checks over gRPC, and what answers them.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use tower::Service;
use tower_zookie_testing::frame::framed;
use tower_zookie_testing::permify::messages::{
    ALLOWED, DataWriteResponse, PermissionCheckRequest, PermissionCheckResponse, PermissionCheckResponseMetadata, at,
    entity, subject,
};

use crate::checks::Check;
use crate::services::{WithStatus, checked};

const CHECK: &str = "/base.v1.Permission/Check";
const WRITE: &str = "/base.v1.Data/Write";

/// `1273:1273:1274:1273`, of a write that was alone.
const TOKEN: &str = "MTI3MzoxMjczOjEyNzQ6MTI3Mw==";

fn grpc<B: From<Bytes>>(path: &str, message: Bytes) -> Request<B> {
    Request::post(format!("http://permify.example.com{path}"))
        .header("te", "trailers")
        .header("content-type", "application/grpc")
        .header("authorization", "Bearer example-key")
        .header("user-agent", "tonic/0.14")
        .body(message.into())
        .expect("valid")
}

/// A check with the token of the write.
pub(crate) fn check<B: From<Bytes>>(check: &Check) -> Request<B> {
    let mut metadata = at(TOKEN).unwrap_or_default();
    metadata.schema_version = "dc0gm41ksdufcep5vvg0".to_owned();
    let message = PermissionCheckRequest {
        tenant_id: "t1".to_owned(),
        metadata: Some(metadata),
        entity: entity("repo", &check.repo),
        permission: "push".to_owned(),
        subject: subject("user", &check.user),
        context: None,
    };
    grpc(CHECK, framed(&message))
}

/// A write, whose token opens a window.
pub(crate) fn write<B: From<Bytes>>() -> Request<B> {
    grpc(WRITE, framed(&DataWriteResponse::default()))
}

/// Answers Permify's checks and writes.
#[derive(Clone)]
pub(crate) struct Permify<B> {
    check: Bytes,
    write: Bytes,
    body: PhantomData<fn(B)>,
}

impl<B> Default for Permify<B> {
    fn default() -> Self {
        Self {
            check: framed(&PermissionCheckResponse {
                can: ALLOWED,
                metadata: Some(PermissionCheckResponseMetadata { check_count: 3 }),
            }),
            write: framed(&DataWriteResponse {
                snap_token: TOKEN.to_owned(),
            }),
            body: PhantomData,
        }
    }
}

impl<B> Service<Request<B>> for Permify<B> {
    type Response = Response<WithStatus>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let is_write = request.uri().path() == WRITE;
        ready(Ok(checked(if is_write { &self.write } else { &self.check })))
    }
}
