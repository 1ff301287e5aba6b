//! Permify upstream.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use bytes::Bytes;
use h2::RecvStream;
use http::{HeaderMap, Request, StatusCode, Version};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tower_zookie_testing::frame::{framed, unframed};
use tower_zookie_testing::permify::messages::{DataChanges, WatchRequest, WatchResponse};
use tower_zookie_testing::wire::{Call, Recording};

use crate::admin::get;
use crate::caller::Caller;
use crate::checks::{make, stats, to};
use crate::http::{BOTH, client, send};
use crate::recorded::Recorded;
use crate::running::Running;
use crate::upstream::{Reply, Upstream, begin, unimplemented};

/// The transaction 1270, as the feed names it.
fn recorded_change() -> Bytes {
    let changes = Some(DataChanges {
        snap_token: "9gQAAAAAAAA=".to_owned(),
        ..DataChanges::default()
    });
    framed(&WatchResponse { changes })
}

async fn sidecar(arguments: &[&str]) -> Running {
    Running::with(&[&["--system", "permify"], arguments].concat()).await
}

fn url(server: &Recorded) -> String {
    format!("http://{}", server.address)
}

/// The same call at exactly its token's snapshot.
fn exactly(call: &Call) -> Arc<Call> {
    let mut call = Call {
        at_ms: None,
        case: call.case.clone(),
        why: None,
        request: call.request.clone(),
        response: call.response.clone(),
        n: call.n,
    };
    let consistency = "at-exact-snapshot".parse().unwrap();
    call.request.headers_mut().insert("zookie-consistency", consistency);
    Arc::new(call)
}

#[tokio::test]
async fn a_grpc_check_at_a_writes_token_is_answered_from_memory() {
    for engine in ["postgres", "memory"] {
        let permify = Recorded::server(&format!("permify/grpc-{engine}")).await;
        let sidecar = sidecar(&["--engine", engine, "--upstream", &url(&permify)]).await;
        let caller = Caller::new(sidecar.address()).await;
        let write = permify.recording.call("data-write-attributes");
        let written = make(&caller, write).await;
        assert_eq!((&written.body, written.grpc_status()), (&write.response.body(), "0"));

        let call = permify.recording.call("check-allowed");
        let first = make(&caller, call).await;
        let status = first.cache_status();
        assert!(status.starts_with("tower-zookie; fwd=miss; stored"), "{status}");
        assert_eq!(
            (&first.body, &first.trailers),
            (&call.response.body(), &call.response.trailers)
        );
        permify.die();
        let second = make(&caller, call).await;
        assert_eq!(
            (second.cache_status(), &second.body),
            ("tower-zookie; hit", &first.body)
        );
        assert_eq!(second.headers["zookie"], first.headers["zookie"]);
        let denied = make(&caller, permify.recording.call("check-denied")).await;
        assert_eq!(denied.status_alone(), "14", "rule 14: a failure is a failure");
        assert_eq!(permify.replay.calls(), 2);
    }
}

#[tokio::test]
async fn a_rest_check_at_a_writes_token_is_answered_from_memory() {
    for version in BOTH {
        let permify = Recorded::server("permify/http-postgres").await;
        let sidecar = sidecar(&["--http-upstream", &url(&permify)]).await;
        let client = client(version);
        let ask = async |case: &str| send(&client, to(&sidecar, permify.recording.call(case))).await;
        assert_eq!(ask("http-write").await.0, StatusCode::OK);
        let recorded = permify.recording.call("http-check-allowed").response.body();
        for due in ["tower-zookie; fwd=miss; stored", "tower-zookie; hit"] {
            let (_, headers, body) = ask("http-check-allowed").await;
            assert_eq!(body, recorded);
            assert_eq!(headers["content-type"], "application/json");
            let status = headers["cache-status"].to_str().unwrap();
            assert!(status.starts_with(due), "{status}");
        }
        assert_eq!(permify.replay.calls(), 2);

        permify.die();
        assert_eq!(ask("http-check-allowed").await.1["cache-status"], "tower-zookie; hit");
        let (status, headers, _) = ask("http-check-denied").await;
        assert_eq!(status, StatusCode::BAD_GATEWAY);
        assert_eq!(headers["content-type"], "application/problem+json");
    }
}

#[tokio::test]
async fn a_schema_write_over_grpc_ends_the_answers_of_rest() {
    let grpc = Recorded::server("permify/grpc-postgres").await;
    let rest = Recorded::server("permify/http-postgres").await;
    let sidecar = sidecar(&["--upstream", &url(&grpc), "--http-upstream", &url(&rest)]).await;
    let client = client(Version::HTTP_11);
    let ask = async |case: &str| {
        let (_, headers, _) = send(&client, to(&sidecar, rest.recording.call(case))).await;
        headers["cache-status"].to_str().unwrap().to_owned()
    };
    ask("http-write").await;
    assert!(ask("http-check-allowed").await.contains("fwd=miss; stored"));
    assert_eq!(ask("http-check-allowed").await, "tower-zookie; hit");
    let caller = Caller::new(sidecar.address()).await;
    let written = make(&caller, grpc.recording.call("schema-write")).await;
    assert_eq!(written.grpc_status(), "0");
    assert!(ask("http-check-allowed").await.contains("fwd=stale"));
}

#[tokio::test]
async fn reads_without_a_token_are_windowed_only_by_setting() {
    for (flag, calls) in [(None, 3), (Some("--window-reads-without-token"), 1)] {
        let permify = Recorded::server("permify/grpc-postgres").await;
        let url = url(&permify);
        let arguments: Vec<_> = ["--upstream", &url].into_iter().chain(flag).collect();
        let sidecar = sidecar(&arguments).await;
        let caller = Caller::new(sidecar.address()).await;
        for _ in 0..3 {
            let call = permify.recording.call("check-head");
            assert_eq!(make(&caller, call).await.body, call.response.body());
        }
        assert_eq!(permify.replay.calls(), calls, "{flag:?}");
    }
}

/// An upstream with a change feed, which answers each check as a recorded one was. It reports each request that
/// opens the feed.
async fn with_a_feed(check: &Arc<Call>) -> (Upstream, mpsc::UnboundedReceiver<Request<()>>) {
    let (opened, openings) = mpsc::unbounded_channel();
    let answer = (check.response.body(), check.response.trailers.clone().unwrap());
    let upstream = Upstream::new(move |request: Request<RecvStream>, reply: Reply| {
        let ((body, trailers), opened) = (answer.clone(), opened.clone());
        async move {
            match request.uri().path() {
                "/base.v1.Watch/Watch" => report_change(request, reply, &opened).await,
                "/base.v1.Permission/Check" => answered(reply, body, trailers),
                _ => unimplemented(reply),
            }
        }
    });
    (upstream.await, openings)
}

fn answered(reply: Reply, body: Bytes, trailers: HeaderMap) {
    let mut stream = begin(reply);
    stream.send_data(body, false).unwrap();
    stream.send_trailers(trailers).unwrap();
}

/// Reports one change, and goes on.
async fn report_change(request: Request<RecvStream>, reply: Reply, opened: &mpsc::UnboundedSender<Request<()>>) {
    let (parts, body) = request.into_parts();
    let (message, _) = crate::upstream::read(body).await.unwrap();
    assert_eq!(unframed::<WatchRequest>(&message).tenant_id, "acme");
    opened.send(Request::from_parts(parts, ())).unwrap();
    let mut stream = begin(reply);
    stream.send_data(recorded_change(), false).unwrap();
    std::future::poll_fn(|cx| stream.poll_reset(cx)).await.ok();
}

/// Waits until the feed is open and the layer believes what it reported, and returns the request for it.
async fn opened(sidecar: &Running, openings: &mut mpsc::UnboundedReceiver<Request<()>>) -> Request<()> {
    let believed = async {
        let request = openings.recv().await.unwrap();
        while stats(sidecar).await["newest_revision"].is_null() {
            tokio::task::yield_now().await;
        }
        request
    };
    timeout(Duration::from_secs(30), believed).await.unwrap()
}

#[tokio::test]
async fn rule_08_writes_in_a_followed_tenant_are_named() {
    let recording = Recording::load("permify/grpc-postgres");
    // It has the token of 1269.
    let check = recording.call("check-allowed");
    for watched in [true, false] {
        let (upstream, mut openings) = with_a_feed(check).await;
        let url = format!("http://{}", upstream.address);
        let watch = [
            "--follow-tenant",
            "acme",
            "--follow-authorization-env",
            "CARGO_PKG_NAME",
        ];
        let watch = if watched { &watch[..] } else { &[] };
        let sidecar = sidecar(&[&["--upstream", &*url], watch].concat()).await;
        if watched {
            let request = opened(&sidecar, &mut openings).await;
            let authority = upstream.address.to_string();
            assert_eq!(
                (
                    request.uri().scheme_str(),
                    request.uri().authority().map(|authority| authority.as_str())
                ),
                (Some("http"), Some(&*authority))
            );
            assert_eq!(request.headers()["authorization"], "tower-zookie-sidecar");
        }
        let caller = Caller::new(sidecar.address()).await;
        for nth in 0..3 {
            let whole = make(&caller, &exactly(check)).await;
            assert_eq!(whole.body, check.response.body());
            let hit = whole.cache_status() == "tower-zookie; hit";
            assert_eq!(hit, watched && nth > 0, "{}", whole.cache_status());
        }
    }
}

#[tokio::test]
async fn a_followed_tenant_does_not_keep_the_sidecar_from_stopping() {
    let recording = Recording::load("permify/grpc-postgres");
    let (upstream, mut openings) = with_a_feed(recording.call("check-allowed")).await;
    let url = format!("http://{}", upstream.address);
    let arguments = ["--upstream", &*url, "--follow-tenant", "acme", "--drain", "3600s"];
    let mut sidecar = sidecar(&arguments).await;
    opened(&sidecar, &mut openings).await;
    sidecar.stop();
    sidecar.ended().await;
}

#[tokio::test]
async fn it_is_ready_when_permifys_rest_api_says_that_it_serves() {
    for (health, ready) in [(StatusCode::OK, 200), (StatusCode::SERVICE_UNAVAILABLE, 503)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/healthz", axum::routing::get(move || async move { health }));
        tokio::spawn(async { axum::serve(listener, router).await });
        let sidecar = sidecar(&["--http-upstream", &url]).await;
        assert_eq!(get(sidecar.admin, "/readyz").await.0, ready);
    }
}
