//! Checks, answered from memory.

use std::sync::Arc;

use axum::Router;
use http::Request;
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::net::TcpListener;
use tower_zookie_testing::wire::spicedb::{ConsistencyLevel, consistency};
use tower_zookie_testing::wire::{Call, Recording};

use crate::admin::get;
use crate::caller::{Caller, Whole};
use crate::http::{BOTH, client, send};
use crate::recorded::Recorded;
use crate::running::Running;

/// Makes a recorded gRPC call.
pub(crate) async fn make(caller: &Caller, call: &Arc<Call>) -> Whole {
    let (parts, body) = call.request.clone().into_parts();
    Whole::of(caller.call(Request::from_parts(parts, ()), body).await.unwrap())
        .await
        .unwrap()
}

impl Whole {
    pub(crate) fn cache_status(&self) -> &str {
        self.headers
            .get("cache-status")
            .map_or("", |status| status.to_str().unwrap())
    }

    pub(crate) fn grpc_status(&self) -> &str {
        let trailers = self.trailers.as_ref().unwrap_or(&self.headers);
        trailers["grpc-status"].to_str().unwrap()
    }
}

pub(crate) async fn stats(sidecar: &Running) -> Value {
    serde_json::from_str(&get(sidecar.admin, "/stats").await.1).unwrap()
}

/// Their tokens were made by hand. Head lacks them, so that the callers are rejected.
const BEYOND_HEAD: [&str; 3] = ["check-least-future", "check-least-forged", "check-no-forged"];

#[tokio::test]
async fn a_whole_recorded_session_passes() {
    let spicedb = Recorded::server("spicedb/grpc-postgres").await;
    let sidecar = Running::before(spicedb.address).await;
    let caller = Caller::new(sidecar.address()).await;
    let (mut from_memory, mut at_a_newer_write) = (0, 0);
    for call in spicedb
        .recording
        .calls
        .iter()
        .filter(|call| call.response.reset.is_none())
    {
        let whole = make(&caller, call).await;
        let recorded = &call.response;
        if whole.cache_status() == "tower-zookie; hit" {
            from_memory += 1;
            continue;
        }
        if BEYOND_HEAD.contains(&&*call.case) {
            assert_eq!(whole.status_alone(), "14", "{}", call.case);
            continue;
        }
        assert_eq!(
            Some(whole.grpc_status()),
            recorded.trailer("grpc-status"),
            "{}",
            call.case
        );
        let sent = spicedb.replay.asked().pop().unwrap();
        assert_eq!(whole.body, sent.reply, "{}", call.case);
        if sent.reply != recorded.body() {
            // It was asked at a newer write than it names, at which others share the answer.
            assert!(
                matches!(consistency(&call.request), ConsistencyLevel::Least(_)),
                "{}",
                call.case
            );
            at_a_newer_write += 1;
        }
        assert_eq!(whole.trailers, sent.call.unwrap().response.trailers, "{}", call.case);
        assert_eq!(whole.trailers_only, recorded.trailers_only, "{}", call.case);
    }
    assert_eq!((from_memory, at_a_newer_write), (11, 3));
}

#[tokio::test]
async fn a_grpc_check_is_answered_from_memory_with_no_upstream() {
    let spicedb = Recorded::server("spicedb/grpc-postgres").await;
    let sidecar = Running::before(spicedb.address).await;
    let caller = Caller::new(sidecar.address()).await;
    let call = spicedb.recording.call("check-default");
    let first = make(&caller, call).await;
    assert!(
        first.cache_status().starts_with("tower-zookie; fwd=miss; stored"),
        "{first:?}"
    );
    assert_eq!(
        (&first.body, &first.trailers),
        (&call.response.body(), &call.response.trailers)
    );
    spicedb.die();
    let second = make(&caller, call).await;
    assert_eq!(second.cache_status(), "tower-zookie; hit");
    assert_eq!((&second.body, second.grpc_status()), (&first.body, "0"));
    assert_eq!(second.headers["zookie"], first.headers["zookie"]);
    assert_eq!(spicedb.replay.calls(), 1);

    let stats = stats(&sidecar).await;
    assert_eq!((&stats["hits"], &stats["misses"]["first"]), (&1.into(), &1.into()));
    let (_, metrics) = get(sidecar.admin, "/metrics").await;
    assert!(metrics.contains("\ntower_zookie_hits_total 1\n"), "{metrics}");
    assert!(metrics.contains("\ntower_zookie_entries 1\n"), "{metrics}");

    let other = spicedb.recording.call("check-no");
    assert_eq!(
        make(&caller, other).await.grpc_status(),
        "14",
        "rule 14: a failure is a failure"
    );
}

#[tokio::test]
async fn an_http_check_is_answered_from_memory() {
    for version in BOTH {
        let spicedb = Recorded::server("spicedb/http-postgres").await;
        let sidecar = Running::before_http(spicedb.address).await;
        let client = client(version);
        let call = spicedb.recording.call("http-check-default");
        for status in ["tower-zookie; fwd=miss; stored", "tower-zookie; hit"] {
            let (_, headers, body) = send(&client, to(&sidecar, call)).await;
            assert_eq!(body, call.response.body());
            assert_eq!(headers["content-type"], "application/json");
            let found = headers["cache-status"].to_str().unwrap();
            assert!(found.starts_with(status), "{found}");
        }
        assert_eq!(spicedb.replay.calls(), 1);
    }
}

/// A recorded HTTP call, made to the sidecar.
pub(crate) fn to(sidecar: &Running, call: &Call) -> http::Request<http_body_util::Full<bytes::Bytes>> {
    let mut request = call.request.clone().map(Into::into);
    let address = sidecar.addresses.last().unwrap();
    *request.uri_mut() = format!("http://{address}{}", call.request.uri().path())
        .parse()
        .unwrap();
    request
}

#[tokio::test]
async fn a_schema_write_in_one_api_ends_the_others_answers() {
    let (grpc, http) = (
        Recorded::server("spicedb/grpc-postgres").await,
        Recorded::server("spicedb/http-postgres").await,
    );
    let (grpc_url, http_url) = (format!("http://{}", grpc.address), format!("http://{}", http.address));
    let sidecar = Running::with(&["--upstream", &grpc_url, "--http-upstream", &http_url]).await;
    let caller = Caller::new(sidecar.address()).await;
    let client = client(http::Version::HTTP_11);
    let check = http.recording.call("http-check-default");
    let status = async || {
        let (_, headers, _) = send(&client, to(&sidecar, check)).await;
        headers["cache-status"].to_str().unwrap().to_owned()
    };
    assert!(status().await.contains("fwd=miss"));
    assert_eq!(status().await, "tower-zookie; hit");
    make(&caller, grpc.recording.call("check-default")).await;
    assert_eq!(stats(&sidecar).await["entries"], 2);

    let write = make(&caller, grpc.recording.call("schema-write")).await;
    assert_eq!(write.grpc_status(), "0");
    assert!(status().await.contains("fwd=stale"));
}

#[tokio::test]
async fn rule_10_headers_that_are_not_forwarded_are_in_no_key() {
    let recording = Recording::load("spicedb/http-postgres");
    let call = recording.call("http-check-default");
    let (parts, body) = call.response.replay().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    // It answers whoever asks.
    let upstream = Router::new().fallback(move || async move { (parts.headers, body) });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, upstream).await });
    let sidecar = Running::before_http(address).await;
    let client = client(http::Version::HTTP_11);
    let ask = async |connection: &'static str| {
        let mut request = to(&sidecar, call);
        request.headers_mut().insert("connection", connection.parse().unwrap());
        let (_, headers, _) = send(&client, request).await;
        headers["cache-status"].to_str().unwrap().to_owned()
    };
    assert!(
        ask("authorization").await.contains("fwd=miss"),
        "asked without a credential"
    );
    assert!(
        ask("keep-alive").await.contains("fwd=miss"),
        "that answer was for the caller with a credential alone"
    );
    assert_eq!(ask("authorization").await, "tower-zookie; hit");
    assert_eq!(ask("keep-alive").await, "tower-zookie; hit");
}

#[tokio::test]
async fn other_names_of_the_sidecar_share_its_answers() {
    let spicedb = Recorded::server("spicedb/http-postgres").await;
    let sidecar = Running::before_http(spicedb.address).await;
    let call = spicedb.recording.call("http-check-default");
    for (version, host, status) in [
        (http::Version::HTTP_11, "127.0.0.1", "tower-zookie; fwd=miss"),
        (http::Version::HTTP_11, "localhost", "tower-zookie; hit"),
        (http::Version::HTTP_2, "127.0.0.1", "tower-zookie; hit"),
        (http::Version::HTTP_2, "localhost", "tower-zookie; hit"),
    ] {
        let mut request = to(&sidecar, call);
        let uri = format!("http://{host}:{}/v1/permissions/check", sidecar.address().port());
        *request.uri_mut() = uri.parse().unwrap();
        let (_, headers, _) = send(&client(version), request).await;
        assert!(
            headers["cache-status"].to_str().unwrap().starts_with(status),
            "{version:?} {host}"
        );
    }
}

#[tokio::test]
async fn settings_reach_the_layer() {
    let spicedb = Recorded::server("spicedb/grpc-postgres").await;
    let url = format!("http://{}", spicedb.address);
    let sidecar = Running::with(&["--upstream", &url, "--require-token", "--max-body", "1"]).await;
    let caller = Caller::new(sidecar.address()).await;
    let rejected = make(&caller, spicedb.recording.call("check-default")).await;
    assert_eq!(rejected.status_alone(), "3");
    assert_eq!(spicedb.replay.calls(), 0);
    let large = make(&caller, spicedb.recording.call("bulk-hundred")).await;
    assert_eq!(
        large.status_alone(),
        "3",
        "a token in a message over the limit does not count"
    );
    assert_eq!(spicedb.replay.calls(), 0);

    let sidecar = Running::with(&["--upstream", &url, "--max-body", "1"]).await;
    let caller = Caller::new(sidecar.address()).await;
    let large = make(&caller, spicedb.recording.call("bulk-hundred")).await;
    assert_eq!(large.body, spicedb.recording.call("bulk-hundred").response.body());
    assert!(large.cache_status().contains("fwd=bypass"), "{}", large.cache_status());
}
