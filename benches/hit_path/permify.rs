//! Permify's checks over gRPC, and what answers them.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use prost::Message;
use tower::Service;

use crate::checks::Check;
use crate::requests::frame;
use crate::services::{WithStatus, checked};

const CHECK: &str = "/base.v1.Permission/Check";
const WRITE: &str = "/base.v1.Data/Write";

/// `1273:1273:1274:1273`, of a write that was alone.
const TOKEN: &str = "MTI3MzoxMjczOjEyNzQ6MTI3Mw==";

#[derive(Clone, PartialEq, Message)]
struct Metadata {
    #[prost(string, tag = "1")]
    schema_version: String,
    #[prost(string, tag = "2")]
    snap_token: String,
    #[prost(int32, tag = "3")]
    depth: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Object {
    #[prost(string, tag = "1")]
    kind: String,
    #[prost(string, tag = "2")]
    id: String,
}

#[derive(Clone, PartialEq, Message)]
struct CheckRequest {
    #[prost(string, tag = "1")]
    tenant_id: String,
    #[prost(message, tag = "2")]
    metadata: Option<Metadata>,
    #[prost(message, tag = "3")]
    entity: Option<Object>,
    #[prost(string, tag = "4")]
    permission: String,
    #[prost(message, tag = "5")]
    subject: Option<Object>,
}

#[derive(Clone, PartialEq, Message)]
struct CheckResponse {
    #[prost(int32, tag = "1")]
    can: i32,
    #[prost(message, tag = "2")]
    metadata: Option<Count>,
}

#[derive(Clone, PartialEq, Message)]
struct Count {
    #[prost(int32, tag = "1")]
    check_count: i32,
}

#[derive(Clone, PartialEq, Message)]
struct WriteResponse {
    #[prost(string, tag = "1")]
    snap_token: String,
}

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
    let object = |kind: &str, id: &str| {
        Some(Object {
            kind: kind.to_owned(),
            id: id.to_owned(),
        })
    };
    let message = CheckRequest {
        tenant_id: "t1".to_owned(),
        metadata: Some(Metadata {
            schema_version: "dc0gm41ksdufcep5vvg0".to_owned(),
            snap_token: TOKEN.to_owned(),
            depth: 20,
        }),
        entity: object("repo", &check.repo),
        permission: "push".to_owned(),
        subject: object("user", &check.user),
    };
    grpc(CHECK, frame(&message))
}

/// A write, whose token opens a window.
pub(crate) fn write<B: From<Bytes>>() -> Request<B> {
    grpc(WRITE, frame(&WriteResponse::default()))
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
            check: frame(&CheckResponse {
                can: 1,
                metadata: Some(Count { check_count: 3 }),
            }),
            write: frame(&WriteResponse {
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
