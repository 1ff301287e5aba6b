//! The layer around the servers and clients that it is made for, over real connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::Query;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::TcpListenerStream;
use tonic_health::ServingStatus;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tower::{Layer, Service, ServiceBuilder, ServiceExt};
use tower_zookie::{Asked, ZookieLayer};
use tower_zookie_testing::scripted::{Both, both, z};

fn layer() -> ZookieLayer<Both> {
    ZookieLayer::builder(both()).build().unwrap()
}

#[derive(serde::Deserialize)]
struct Check {
    resource: String,
}

/// A service whose every call is counted.
fn router(calls: &Arc<AtomicUsize>) -> Router {
    let counted = Arc::clone(calls);
    let check = move |asked: Asked, Query(check): Query<Check>| {
        counted.fetch_add(1, Ordering::SeqCst);
        let allowed = check.resource == "a";
        let body = format!(r#"{{"allowed":{allowed},"asked":"{}"}}"#, asked.consistency);
        std::future::ready(([("content-type", "application/json"), ("zookie", &*z(1))], body).into_response())
    };
    let counted = Arc::clone(calls);
    let evaluation = move |body: Bytes| {
        counted.fetch_add(1, Ordering::SeqCst);
        assert!(!body.is_empty());
        let headers = [("content-type", "application/json"), ("zookie", &*z(1))];
        std::future::ready((headers, r#"{"decision":true}"#).into_response())
    };
    Router::new()
        .route("/check", get(check))
        .route("/access/v1/evaluation", post(evaluation))
        .route("/echo", post(|body: Bytes| std::future::ready(body)))
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

type Http = Client<HttpConnector, Full<Bytes>>;

fn http(version: Version) -> Http {
    Client::builder(TokioExecutor::new())
        .http2_only(version == Version::HTTP_2)
        .build_http()
}

async fn send(client: &Http, method: &str, uri: String, body: &str) -> (Response<()>, Bytes) {
    let request = Request::builder()
        .method(method)
        .uri(uri)
        .header("content-type", "application/json")
        .body(Full::from(body.to_owned()))
        .unwrap();
    let response = client.request(request).await.unwrap();
    let (parts, body) = response.into_parts();
    (
        Response::from_parts(parts, ()),
        body.collect().await.unwrap().to_bytes(),
    )
}

const QUESTION: &str =
    r#"{"subject":{"type":"user","id":"ada"},"action":{"name":"read"},"resource":{"type":"doc","id":"a"}}"#;

async fn serves(version: Version, address: SocketAddr, calls: &AtomicUsize) {
    let client = http(version);
    for (nth, status) in ["tower-zookie; fwd=miss; stored", "tower-zookie; hit"]
        .iter()
        .enumerate()
    {
        for (method, path, question, answer) in [
            (
                "GET",
                "/check?resource=a",
                "",
                r#"{"allowed":true,"asked":"minimize-latency"}"#,
            ),
            ("POST", "/access/v1/evaluation", QUESTION, r#"{"decision":true}"#),
        ] {
            let (parts, body) = send(&client, method, format!("http://{address}{path}"), question).await;
            assert_eq!((parts.version(), &*body), (version, answer.as_bytes()));
            let found = parts.headers()["cache-status"].to_str().unwrap();
            assert!(found.starts_with(status), "{found}");
            assert_eq!(parts.headers()["zookie"], z(1));
            assert_eq!(
                parts.headers()["content-length"],
                answer.len().to_string(),
                "call {nth}"
            );
        }
    }
    let (parts, body) = send(&client, "POST", format!("http://{address}/echo"), "unmodified").await;
    assert_eq!(
        (&*body, parts.headers().get("cache-status")),
        (&b"unmodified"[..], None)
    );
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn an_axum_router_with_the_layer_inside() {
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let calls = Arc::default();
        let (listener, address) = listen().await;
        let app = router(&calls).layer(layer());
        tokio::spawn(async move { axum::serve(listener, app).await });
        serves(version, address, &calls).await;
    }
}

#[tokio::test]
async fn an_axum_router_with_the_layer_outside() {
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let calls = Arc::default();
        let (listener, address) = listen().await;
        let layered = ServiceBuilder::new()
            .map_response(|response: Response<_>| response.map(axum::body::Body::new))
            .layer(layer())
            .service(router(&calls));
        let app = axum::ServiceExt::<axum::extract::Request>::into_make_service(layered);
        tokio::spawn(async move { axum::serve(listener, app).await });
        serves(version, address, &calls).await;
    }
}

#[tokio::test]
async fn a_tonic_server_passes_calls_streams_and_trailers_through() {
    let (listener, address) = listen().await;
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_service_status("store", ServingStatus::Serving).await;
    let server = tonic::transport::Server::builder()
        .layer(layer())
        .add_service(health)
        .serve_with_incoming(TcpListenerStream::new(listener));
    tokio::spawn(server);
    let channel = tonic::transport::Endpoint::new(format!("http://{address}"))
        .unwrap()
        .connect_lazy();
    speaks(HealthClient::new(channel), &reporter).await;
}

#[tokio::test]
async fn a_tonic_channel_under_a_generated_client() {
    let (listener, address) = listen().await;
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_service_status("store", ServingStatus::Serving).await;
    let server = tonic::transport::Server::builder()
        .add_service(health)
        .serve_with_incoming(TcpListenerStream::new(listener));
    tokio::spawn(server);
    let channel = tonic::transport::Endpoint::new(format!("http://{address}"))
        .unwrap()
        .connect_lazy();
    let layered = ServiceBuilder::new().layer(layer()).service(channel);
    speaks(HealthClient::new(layered), &reporter).await;
}

/// A unary call, an error, and a stream.
async fn speaks<T>(mut client: HealthClient<T>, reporter: &tonic_health::server::HealthReporter)
where
    T: tonic::client::GrpcService<tonic::body::Body, Error: Into<tonic::codegen::StdError>>,
    T::ResponseBody: http_body::Body<Data = Bytes, Error: Into<tonic::codegen::StdError> + Send> + Send + 'static,
{
    let named = |service: &str| HealthCheckRequest {
        service: service.to_owned(),
    };
    let reply = client.check(named("store")).await.unwrap();
    assert_eq!(reply.get_ref().status, 1);
    assert!(reply.metadata().get("cache-status").is_none());
    let error = client.check(named("nobody")).await.unwrap_err();
    assert_eq!(error.code(), tonic::Code::NotFound, "a status in trailers only");
    let mut watched = client.watch(named("store")).await.unwrap().into_inner();
    assert_eq!(watched.next().await.unwrap().unwrap().status, 1);
    reporter.set_service_status("store", ServingStatus::NotServing).await;
    assert_eq!(watched.next().await.unwrap().unwrap().status, 2);
    reporter.clone().clear_service_status("store").await;
    let end = watched.trailers().await;
    assert!(end.is_ok() || end.unwrap_err().code() == tonic::Code::NotFound);
}

#[tokio::test]
async fn a_hyper_util_client_with_the_layer_before_it() {
    let calls = Arc::default();
    let (listener, address) = listen().await;
    let app = router(&calls);
    tokio::spawn(async move { axum::serve(listener, app).await });

    let full: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    asks(layer().layer(full), address, Full::from).await;
    let boxed: Client<_, UnsyncBoxBody<Bytes, std::convert::Infallible>> =
        Client::builder(TokioExecutor::new()).build_http();
    asks(layer().layer(boxed), address, |text| Full::from(text).boxed_unsync()).await;
    assert_eq!(calls.load(Ordering::SeqCst), 4);
}

async fn asks<S, B, R>(service: S, address: SocketAddr, body: impl Fn(&'static str) -> B)
where
    S: Service<Request<B>, Response = Response<R>, Error: std::fmt::Debug> + Clone,
    R: http_body::Body<Data = Bytes, Error: std::fmt::Debug>,
{
    for status in ["tower-zookie; fwd=miss; stored", "tower-zookie; hit"] {
        for (method, path, question, answer) in [
            (
                "GET",
                "/check?resource=b",
                "",
                r#"{"allowed":false,"asked":"minimize-latency"}"#,
            ),
            ("POST", "/access/v1/evaluation", QUESTION, r#"{"decision":true}"#),
        ] {
            let request = Request::builder()
                .method(method)
                .uri(format!("http://{address}{path}"))
                .header("content-type", "application/json")
                .body(body(question))
                .unwrap();
            let response = service.clone().oneshot(request).await.unwrap();
            let found = response.headers()["cache-status"].to_str().unwrap().to_owned();
            assert!(found.starts_with(status), "{found}");
            assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), answer);
        }
    }
    let request = Request::post(format!("http://{address}/echo"))
        .body(body("unmodified"))
        .unwrap();
    let response = service.oneshot(request).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "unmodified");
}
