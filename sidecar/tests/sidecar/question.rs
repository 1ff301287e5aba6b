//! What the sidecar asks at the start, and what it says then.

use std::net::SocketAddr;

use bytes::Bytes;
use h2::RecvStream;
use http::{HeaderMap, Request, Response};
use tokio::task::yield_now;
use tower_zookie_testing::frame::{frame, written};
use tower_zookie_testing::log::Log;
use tower_zookie_testing::wire::Recording;
use tracing::Level;

use crate::broken::unreachable;
use crate::checks::stats;
use crate::running::{Running, args};
use crate::upstream::{Reply, Upstream, begin};

/// An upstream that answers these calls with these messages, and others as gRPC's servers do.
async fn answering(path: &'static str, status: &'static str, message: Bytes) -> SocketAddr {
    let upstream = Upstream::new(move |request: Request<RecvStream>, mut reply: Reply| {
        let message = message.clone();
        async move {
            let status = if request.uri().path() == path { status } else { "12" };
            if status != "0" {
                let response = Response::builder().header("grpc-status", status);
                reply.send_response(response.body(()).unwrap(), true).unwrap();
                return;
            }
            let mut stream = begin(reply);
            stream.send_data(message, false).unwrap();
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", "0".parse().unwrap());
            stream.send_trailers(trailers).unwrap();
        }
    });
    upstream.await.address
}

/// The line about the upstream that is logged after the start, and the sidecar.
async fn said(upstream: SocketAddr, more: &[&str]) -> (String, Running) {
    let log = Log::capture(Level::INFO);
    let url = format!("http://{upstream}");
    let config = args(&[&["--upstream", &url], more].concat()).config().unwrap();
    let sidecar = Running::of(config).await;
    loop {
        let is_about = |line: &&String| line.contains("proxy::question: ");
        if let Some(line) = log.lines().iter().find(is_about) {
            return (line.clone(), sidecar);
        }
        yield_now().await;
    }
}

const SCHEMA: &str = "/authzed.api.v1.SchemaService/ReadSchema";
const TENANTS: &str = "/base.v1.Tenancy/List";

/// A schema's reply with a token of this engine.
fn schema(engine: &str) -> Bytes {
    let recording = Recording::load(&format!("spicedb/grpc-{engine}"));
    let body = recording.call("schema-write").response.body();
    // `written_at`, where a read has its `read_at`.
    let token = tower_zookie_testing::frame::field(&body[5..], 1).unwrap().to_vec();
    frame(&[written(1, b"definition user {}"), written(2, &token)].concat())
}

#[tokio::test]
async fn rule_17_at_the_start_the_engine_is_judged() {
    let upstream = answering(SCHEMA, "0", schema("postgres")).await;
    let (line, _) = said(upstream, &["--engine", "postgres"]).await;
    assert!(
        line.contains("INFO") && line.contains("`--engine` reads its tokens"),
        "{line}"
    );
    let (line, sidecar) = said(upstream, &["--engine", "memory"]).await;
    assert!(
        line.contains("WARN") && line.contains("set `--engine postgres`"),
        "{line}"
    );
    assert_eq!(stats(&sidecar).await["warnings"]["other_engine"], 1);
}

#[tokio::test]
async fn rule_17_at_the_start_the_system_is_judged() {
    let upstream = answering(TENANTS, "0", frame(&[])).await;
    let (line, sidecar) = said(upstream, &["--system", "spicedb"]).await;
    assert!(
        line.contains("WARN") && line.contains("set `--system permify`"),
        "{line}"
    );
    assert_eq!(stats(&sidecar).await["warnings"]["other_system"], 1);
    let (line, _) = said(upstream, &["--system", "permify"]).await;
    assert!(
        line.contains("INFO") && line.contains("the first write shows"),
        "{line}"
    );
    let upstream = answering(SCHEMA, "5", Bytes::new()).await;
    let (line, _) = said(upstream, &["--system", "permify"]).await;
    assert!(line.contains("set `--system spicedb`"), "{line}");
    let (line, _) = said(upstream, &[]).await;
    assert!(line.contains("INFO") && line.contains("has no schema yet"), "{line}");
}

#[tokio::test]
async fn rule_17_at_the_start_it_is_said_what_can_not_be_known() {
    let upstream = answering(SCHEMA, "16", Bytes::new()).await;
    let (line, _) = said(upstream, &[]).await;
    assert!(
        line.contains("INFO") && line.contains("`--probe-authorization-env`"),
        "{line}"
    );
    // Set by cargo for every test.
    let (line, _) = said(upstream, &["--probe-authorization-env", "CARGO_PKG_NAME"]).await;
    assert!(
        line.contains("WARN") && line.contains("does not take the credential"),
        "{line}"
    );
    let (_taken, address) = unreachable();
    let (line, _) = said(address, &[]).await;
    assert!(
        line.contains("WARN") && line.contains("can't be reached; is `--upstream` right?"),
        "{line}"
    );
}
