//! What operators can ask.

use std::net::SocketAddr;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;
use tonic_health::ServingStatus;

use crate::broken::unreachable;
use crate::running::Running;
use crate::tonic_upstream;

/// The status and body of `GET path`.
pub(crate) async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::get(format!("http://{address}{path}"))
        .body(Empty::new())
        .unwrap();
    let (parts, body) = client.request(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (parts.status.as_u16(), String::from_utf8(body.into()).unwrap())
}

#[tokio::test]
async fn it_is_ready_when_the_upstream_reports_serving() {
    let (upstream, reporter) = tonic_upstream::serve().await;
    let sidecar = Running::before(upstream).await;
    assert_eq!(get(sidecar.admin, "/readyz").await, (200, "ready\n".into()));
    reporter.set_service_status("", ServingStatus::NotServing).await;
    let not_serving = (503, "the upstream says that it does not serve\n".into());
    assert_eq!(get(sidecar.admin, "/readyz").await, not_serving);
    reporter.clone().clear_service_status("").await;
    assert_eq!(
        get(sidecar.admin, "/readyz").await.0,
        200,
        "it is there, and keeps its health to itself"
    );
}

#[tokio::test]
async fn it_is_alive_but_not_ready_when_an_upstream_is_down() {
    let (upstream, _) = tonic_upstream::serve().await;
    let (_taken, address) = unreachable();
    let (up, down) = (format!("http://{upstream}"), format!("http://{address}"));
    for arguments in [
        ["--upstream", &*down, "--http-upstream", &up],
        ["--upstream", &up, "--http-upstream", &down],
    ] {
        let sidecar = Running::with(&arguments).await;
        let no_answer = (503, "the upstream does not answer\n".into());
        assert_eq!(get(sidecar.admin, "/readyz").await, no_answer);
        assert_eq!(get(sidecar.admin, "/healthz").await, (200, "alive\n".into()));
    }
}

#[tokio::test]
async fn any_gateway_answer_except_a_failure_means_ready() {
    use axum::http::StatusCode;
    for (status, ready) in [
        (StatusCode::NOT_FOUND, 200),
        (StatusCode::UNAUTHORIZED, 200),
        (StatusCode::BAD_GATEWAY, 503),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = axum::Router::new().fallback(move || async move { status });
        tokio::spawn(async { axum::serve(listener, router).await });
        let sidecar = Running::before_http(address).await;
        assert_eq!(get(sidecar.admin, "/readyz").await.0, ready, "{status}");
    }
}

#[tokio::test]
async fn statistics_as_json_and_for_prometheus() {
    let (upstream, _) = tonic_upstream::serve().await;
    let sidecar = Running::before(upstream).await;
    let (status, stats) = get(sidecar.admin, "/stats").await;
    let stats: serde_json::Value = serde_json::from_str(&stats).unwrap();
    assert_eq!(
        (status, &stats["hits"], &stats["misses"]["first"]),
        (200, &0.into(), &0.into())
    );
    for _ in 0..2 {
        let (status, metrics) = get(sidecar.admin, "/metrics").await;
        assert_eq!(status, 200);
        for line in [
            "# TYPE tower_zookie_hits_total counter",
            "# HELP tower_zookie_hits_total Questions answered from the cache.",
            "tower_zookie_hits_total 0",
            "tower_zookie_misses_total{reason=\"first\"} 0",
            "# TYPE tower_zookie_entries gauge",
        ] {
            assert!(metrics.lines().any(|found| found == line), "{line} is not in {metrics}");
        }
    }
}
