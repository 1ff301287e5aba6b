//! The HTTP gateway, over HTTP/1.1 and HTTP/2.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_stream::StreamExt;

use crate::broken::unreachable;
use crate::running::Running;

pub(crate) type Http = Client<HttpConnector, Full<Bytes>>;

pub(crate) fn client(version: Version) -> Http {
    let mut builder = Client::builder(TokioExecutor::new());
    builder.http2_only(version == Version::HTTP_2).build_http()
}

pub(crate) const BOTH: [Version; 2] = [Version::HTTP_11, Version::HTTP_2];

/// Says which request came.
async fn show(request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let mut names: Vec<_> = parts.headers.keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    let body = body.collect().await.unwrap().to_bytes();
    let host = parts.headers["host"].to_str().unwrap();
    let shown = format!(
        "{} {host} {} {:?} {names:?} {}",
        parts.method,
        parts.uri,
        parts.version,
        body.len()
    );
    (
        [
            ("x-upstream", "yes"),
            ("keep-alive", "timeout=5"),
            ("connection", "keep-alive, x-of-the-hop"),
            ("x-of-the-hop", "1"),
        ],
        shown,
    )
        .into_response()
}

async fn gateway() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let wrong = || async {
        let body = r#"{"code":3, "message":"no"}"#;
        (StatusCode::BAD_REQUEST, [("content-type", "application/json")], body)
    };
    let stream = || async {
        let results = (0..3).map(|n| Ok::<_, std::io::Error>(format!("{{\"result\":{n}}}\n")));
        Body::from_stream(tokio_stream::iter(results))
    };
    let broken = || async {
        let half = [Ok("half"), Err(std::io::Error::other("broken"))];
        Body::from_stream(tokio_stream::iter(half).then(async |item| {
            tokio::task::yield_now().await;
            item
        }))
    };
    let router = Router::new()
        .route("/shown", any(show))
        .route("/wrong", post(wrong))
        .route("/v1/watch", post(stream))
        .route("/broken", post(broken));
    tokio::spawn(async { axum::serve(listener, router).await });
    address
}

fn json(address: SocketAddr, path: &str, body: impl Into<Bytes>) -> http::Request<Full<Bytes>> {
    let request = http::Request::post(format!("http://{address}{path}"));
    request
        .header("content-type", "application/json")
        .header("authorization", "Bearer example-key")
        .body(Full::new(body.into()))
        .unwrap()
}

pub(crate) async fn send(client: &Http, request: http::Request<Full<Bytes>>) -> (StatusCode, HeaderMap, String) {
    let (parts, body) = client.request(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (parts.status, parts.headers, String::from_utf8(body.into()).unwrap())
}

#[tokio::test]
async fn all_but_hop_by_hop_headers_pass_unmodified() {
    let upstream = gateway().await;
    let sidecar = Running::before_http(upstream).await;
    for version in BOTH {
        let mut request = json(sidecar.address(), "/shown?query=1", vec![b'x'; 300_000]);
        if version == Version::HTTP_11 {
            let headers = request.headers_mut();
            headers.insert("connection", "keep-alive, x-secret".parse().unwrap());
            headers.insert("x-secret", "1".parse().unwrap());
            headers.insert("te", "gzip, trailers".parse().unwrap());
        }
        let (status, headers, shown) = send(&client(version), request).await;
        assert_eq!(status, StatusCode::OK);
        let te = if version == Version::HTTP_11 { r#", "te""# } else { "" };
        let expected = format!(
            "POST {upstream} /shown?query=1 HTTP/1.1 \
             [\"authorization\", \"content-length\", \"content-type\", \"host\"{te}] 300000"
        );
        assert_eq!(shown, expected);
        let mut names: Vec<_> = headers.keys().map(http::HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["content-length", "content-type", "date", "x-upstream"]);
    }
}

#[tokio::test]
async fn an_error_keeps_its_status_and_body() {
    let sidecar = Running::before_http(gateway().await).await;
    for version in BOTH {
        let (status, headers, body) = send(&client(version), json(sidecar.address(), "/wrong", "{}")).await;
        assert_eq!(
            (status, &*body),
            (StatusCode::BAD_REQUEST, r#"{"code":3, "message":"no"}"#)
        );
        assert_eq!(headers["content-type"], "application/json");
        assert_eq!(headers.get("cache-status"), None);
        let (status, ..) = send(&client(version), json(sidecar.address(), "/nothing", "{}")).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn a_stream_of_results_and_a_reply_without_a_body() {
    let sidecar = Running::before_http(gateway().await).await;
    for version in BOTH {
        let (_, headers, body) = send(&client(version), json(sidecar.address(), "/v1/watch", "{}")).await;
        assert_eq!(body, "{\"result\":0}\n{\"result\":1}\n{\"result\":2}\n");
        assert_eq!(headers.get("content-length"), None);
        let mut request = json(sidecar.address(), "/shown", "");
        *request.method_mut() = http::Method::HEAD;
        let (status, headers, body) = send(&client(version), request).await;
        assert_eq!((status, &*body), (StatusCode::OK, ""));
        assert!(headers.contains_key("content-length"));
    }
}

#[tokio::test]
async fn a_truncated_reply_stays_truncated() {
    let sidecar = Running::before_http(gateway().await).await;
    for version in BOTH {
        let reply = client(version)
            .request(json(sidecar.address(), "/broken", "{}"))
            .await
            .unwrap();
        assert!(reply.into_body().collect().await.is_err());
    }
}

#[tokio::test]
async fn rule_14_an_upstream_that_is_down_is_a_bad_gateway() {
    let (_taken, address) = unreachable();
    let sidecar = Running::before_http(address).await;
    for version in BOTH {
        let (status, headers, body) = send(&client(version), json(sidecar.address(), "/wrong", "{}")).await;
        assert_eq!(status, StatusCode::BAD_GATEWAY);
        assert_eq!(headers["content-type"], "application/problem+json");
        assert_eq!(headers["cache-control"], "no-store");
        let problem: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(problem["detail"], "the upstream can't be reached");
        assert_eq!(problem["status"], 502);
    }
}

#[tokio::test]
async fn a_get_with_a_body_keeps_it() {
    let upstream = gateway().await;
    let sidecar = Running::before_http(upstream).await;
    for framing in [
        "transfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
        "content-length: 4\r\n\r\nbody",
    ] {
        for method in ["GET", "POST", "DELETE"] {
            let mut stream = TcpStream::connect(sidecar.address()).await.unwrap();
            let request = format!("{method} /shown HTTP/1.1\r\nhost: h\r\nconnection: close\r\n{framing}");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut reply = String::new();
            stream.read_to_string(&mut reply).await.unwrap();
            assert!(reply.contains(&format!("{method} {upstream} /shown ")), "{reply}");
            assert!(
                reply.trim_end_matches("\r\n").contains("] 4"),
                "{method} {framing}: {reply}"
            );
        }
    }
}
