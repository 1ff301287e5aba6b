//! What answers the checks, and the layers before it.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::combinators::WithTrailers;
use http_body_util::{BodyExt, Full};
use tower::Service;
use tower_zookie::ByteSize;
use tower_zookie::ZookieLayer;
use tower_zookie::cache::Settings;
use tower_zookie::consistency::Staleness;
use tower_zookie::protocol::spicedb::{Engine, SpiceDb};
use tower_zookie::protocol::{AuthZen, CheckRoute, Permify, Protocol, Routes, Verdict, permify};
use tower_zookie::token::{InferaDb, RevisionToken};
use tower_zookie_testing::spicedb::messages::CHECK;

use crate::requests::spicedb_reply;

/// A ZedToken of SpiceDB on PostgreSQL.
pub(crate) const ZED_TOKEN: &str = "GiQKGENJSUlJSUVJS0lDaytKK0dpZnowR0E9PRIIZmE1ZmY1NWI=";

/// The token of the head of a cluster of so many nodes.
pub(crate) fn head(nodes: usize) -> RevisionToken {
    clock(nodes, |_| u64::MAX / 2)
}

/// A token of each node's revision by its number.
pub(crate) fn clock(nodes: usize, revision: impl Fn(usize) -> u64) -> RevisionToken {
    let clock = (0..nodes).map(|node| (format!("node-{node}"), revision(node)));
    RevisionToken::with_vector_clock("node-0", revision(0), clock)
}

fn json(token: &HeaderValue, body: &'static str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(body.as_bytes()));
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    headers.insert("zookie", token.clone());
    response
}

/// Answers checks by path and by AuthZEN.
#[derive(Clone)]
pub(crate) struct Http<B> {
    token: HeaderValue,
    body: PhantomData<fn(B)>,
}

impl<B> Http<B> {
    pub(crate) fn at(token: &RevisionToken) -> Self {
        Self {
            token: HeaderValue::from_str(&token.encode()).expect("ASCII"),
            body: PhantomData,
        }
    }
}

impl<B> Service<Request<B>> for Http<B> {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let response = match request.uri().path() {
            "/check" => json(&self.token, r#"{"allowed":true}"#),
            "/access/v1/evaluation" => json(&self.token, r#"{"decision":true}"#),
            _ => Response::default(),
        };
        ready(Ok(response.map(Full::from)))
    }
}

/// Answers SpiceDB's checks.
#[derive(Clone)]
pub(crate) struct Grpc<B>(Bytes, PhantomData<fn(B)>);

impl<B> Default for Grpc<B> {
    fn default() -> Self {
        Self(spicedb_reply(ZED_TOKEN), PhantomData)
    }
}

pub(crate) type WithStatus = WithTrailers<Full<Bytes>, Ready<Option<Result<HeaderMap, Infallible>>>>;

impl<B> Service<Request<B>> for Grpc<B> {
    type Response = Response<WithStatus>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        ready(Ok(checked(&self.0)))
    }
}

pub(crate) fn checked(reply: &Bytes) -> Response<WithStatus> {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    trailers.insert("grpc-message", HeaderValue::from_static(""));
    let mut response = Response::new(Full::new(reply.clone()).with_trailers(ready(Some(Ok(trailers)))));
    let content_type = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert("content-type", content_type);
    response
}

/// All of these as an axum service.
pub(crate) fn router(token: &RevisionToken) -> Router {
    let token = HeaderValue::from_str(&token.encode()).expect("ASCII");
    let at = token.clone();
    let reply = spicedb_reply(ZED_TOKEN);
    Router::new()
        .route(
            "/check",
            get(async move || json(&token, r#"{"allowed":true}"#).map(Full::from)),
        )
        .route(
            "/access/v1/evaluation",
            post(async move || json(&at, r#"{"decision":true}"#).map(Full::from)),
        )
        .route(CHECK, post(async move || checked(&reply).map(axum::body::Body::new)))
        .route("/articles/{id}", get(async || ""))
}

/// Entries that stay for as long as a bench takes.
fn settings() -> Settings {
    let hour = Duration::from_secs(3600);
    Settings::default()
        .window(hour, Staleness::percent(100))
        .time_to_live(3 * hour)
        .capacity(ByteSize::mebi(256))
}

fn layer<P: Protocol>(protocol: P) -> ZookieLayer<P> {
    ZookieLayer::builder(protocol)
        .cache(|_| settings())
        .build()
        .expect("valid")
}

/// Checks by path.
pub(crate) fn routes() -> ZookieLayer<Routes> {
    let check = CheckRoute::get("/check").verdict(Verdict::json("allowed"));
    layer(
        Routes::builder(InferaDb::cluster("bench"))
            .check(check)
            .build()
            .expect("valid"),
    )
}

/// AuthZEN's.
pub(crate) fn authzen() -> ZookieLayer<AuthZen> {
    layer(AuthZen::new(InferaDb::cluster("bench")))
}

/// Permify's.
pub(crate) fn permify() -> ZookieLayer<Permify> {
    layer(Permify::new(permify::Engine::Postgres))
}

/// SpiceDB's.
pub(crate) fn spicedb() -> ZookieLayer<SpiceDb> {
    layer(SpiceDb::new(Engine::Postgres))
}
