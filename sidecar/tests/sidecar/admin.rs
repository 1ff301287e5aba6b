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
use crate::caller::Caller;
use crate::checks::make;
use crate::recorded::Recorded;
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

/// The status and body of a request with these headers.
pub(crate) async fn ask(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::builder().method(method).uri(format!("http://{address}{path}"));
    let request = headers
        .iter()
        .fold(request, |request, (name, value)| request.header(*name, *value));
    let (parts, body) = client
        .request(request.body(Empty::new()).unwrap())
        .await
        .unwrap()
        .into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (parts.status.as_u16(), String::from_utf8(body.into()).unwrap())
}

#[tokio::test]
async fn it_is_ready_when_the_upstream_reports_serving() {
    let (upstream, reporter) = tonic_upstream::serve().await;
    let sidecar = Running::before(upstream).await;
    assert_eq!(get(sidecar.admin, "/readyz").await, (200, "ready\n".into()));
    reporter.set_service_status("", ServingStatus::NotServing).await;
    let not_serving = (503, "gRPC: the upstream says that it does not serve\n".into());
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
    for (arguments, why) in [
        (
            ["--upstream", &*down, "--http-upstream", &up],
            "gRPC: the upstream does not answer\n",
        ),
        (
            ["--upstream", &up, "--http-upstream", &down],
            "HTTP: the upstream does not answer\n",
        ),
    ] {
        let sidecar = Running::with(&arguments).await;
        for path in ["/readyz", "/readyz?strict"] {
            let (status, down) = get(sidecar.admin, path).await;
            assert!(status == 503 && down.contains(why), "{down}");
        }
        assert_eq!(get(sidecar.admin, "/healthz").await, (200, "alive\n".into()));
    }
}

#[tokio::test]
async fn it_stays_ready_while_answers_are_in_memory() {
    let spicedb = Recorded::server("spicedb/grpc-postgres").await;
    let (_taken, down) = unreachable();
    let (up, down) = (format!("http://{}", spicedb.address), format!("http://{down}"));
    let sidecar = Running::with(&["--upstream", &up, "--http-upstream", &down]).await;
    // What was recorded does not tell its health.
    let why = "HTTP: the upstream does not answer\ngRPC: the upstream does not answer\n";
    assert_eq!(
        get(sidecar.admin, "/readyz").await,
        (503, why.into()),
        "nothing is in memory"
    );
    let caller = Caller::new(sidecar.address()).await;
    make(&caller, spicedb.recording.call("check-default")).await;
    let from_memory = (200, format!("ready to answer from memory\n{why}"));
    assert_eq!(get(sidecar.admin, "/readyz").await, from_memory);
    assert_eq!(get(sidecar.admin, "/readyz?strict").await, (503, why.into()));
    ask(sidecar.admin, "POST", "/pass-through?on", &[]).await;
    assert_eq!(get(sidecar.admin, "/readyz").await, (503, why.into()));
}

#[tokio::test]
async fn the_cache_is_purged_and_switched_by_operators() {
    let spicedb = Recorded::server("spicedb/grpc-postgres").await;
    let sidecar = Running::before(spicedb.address).await;
    let caller = Caller::new(sidecar.address()).await;
    let status = async || {
        let reply = make(&caller, spicedb.recording.call("check-default")).await;
        reply.cache_status().split("; detail").next().unwrap().to_owned()
    };
    let post = async |path| ask(sidecar.admin, "POST", path, &[]).await;
    status().await;
    assert_eq!(status().await, "tower-zookie; hit");
    assert_eq!(post("/purge").await, (200, "purged\n".into()));
    assert!(status().await.ends_with("; stored"));

    let (on, off) = ("pass-through is on\n", "pass-through is off\n");
    assert_eq!(get(sidecar.admin, "/pass-through").await, (200, off.into()));
    assert_eq!(post("/pass-through?on").await, (200, on.into()));
    assert_eq!(get(sidecar.admin, "/pass-through").await, (200, on.into()));
    for _ in 0..2 {
        assert_eq!(status().await, "tower-zookie; fwd=bypass");
    }
    let (_, stats) = get(sidecar.admin, "/stats").await;
    let stats: serde_json::Value = serde_json::from_str(&stats).unwrap();
    assert_eq!((&stats["pass_through"], &stats["entries"]), (&true.into(), &0.into()));
    let (_, metrics) = get(sidecar.admin, "/metrics").await;
    assert!(metrics.contains("\ntower_zookie_pass_through 1\n"), "{metrics}");

    assert_eq!(post("/pass-through?off").await, (200, off.into()));
    assert!(status().await.ends_with("; stored"));
    assert_eq!(status().await, "tower-zookie; hit");
    for unclear in [
        "/pass-through",
        "/pass-through?",
        "/pass-through?true",
        "/pass-through?on&off",
    ] {
        assert_eq!(post(unclear).await.0, 400, "{unclear}");
    }
    assert_eq!(status().await, "tower-zookie; hit");
    assert_eq!(get(sidecar.admin, "/purge").await.0, 405);
}

#[tokio::test]
async fn a_browser_changes_nothing_for_another_page() {
    let (upstream, _) = tonic_upstream::serve().await;
    let sidecar = Running::before(upstream).await;
    let page = [("origin", "https://elsewhere.example")];
    for path in ["/purge", "/pass-through?on"] {
        assert_eq!(ask(sidecar.admin, "POST", path, &page).await.0, 403);
    }
    assert_eq!(get(sidecar.admin, "/pass-through").await.1, "pass-through is off\n");
}

#[tokio::test]
async fn the_version_is_shown() {
    let (upstream, _) = tonic_upstream::serve().await;
    let sidecar = Running::before(upstream).await;
    let (status, version) = get(sidecar.admin, "/version").await;
    let version: serde_json::Value = serde_json::from_str(&version).unwrap();
    assert_eq!((status, &version["version"]), (200, &env!("CARGO_PKG_VERSION").into()));
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
            "# TYPE tower_zookie_hit_age_seconds histogram",
            "tower_zookie_hit_age_seconds_bucket{le=\"+Inf\"} 0",
            "tower_zookie_hit_age_seconds_sum 0",
            "tower_zookie_hit_age_seconds_count 0",
            "tower_zookie_capacity_bytes 67108864",
        ] {
            assert!(metrics.lines().any(|found| found == line), "{line} is not in {metrics}");
        }
    }
}
