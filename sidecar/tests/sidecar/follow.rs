//! SpiceDB's change feed, followed over gRPC and through the gateway.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request as HttpRequest;
use axum::response::IntoResponse;
use bytes::Bytes;
use h2::RecvStream;
use http::{HeaderMap, HeaderValue, Request};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tower_zookie_testing::wire::Recording;

use crate::checks::stats;
use crate::running::Running;
use crate::upstream::{Reply, Upstream, begin, unimplemented};

const FOLLOW: [&str; 3] = ["--follow", "--follow-authorization-env", "CARGO_PKG_NAME"];

/// What the environment variable says.
const CREDENTIAL: &str = "tower-zookie-sidecar";

/// A SpiceDB that replies as a recorded one did, to those that have the feed's credential, and whose feed then goes on.
async fn spicedb() -> Upstream {
    Upstream::new(|request: Request<RecvStream>, reply: Reply| async move {
        let recording = Recording::load("spicedb/grpc-postgres");
        let replied = |case: &str| {
            let response = &recording.call(case).response;
            (response.body(), response.trailers.clone())
        };
        if request.headers().get("authorization") != Some(&HeaderValue::from_static(CREDENTIAL)) {
            return unimplemented(reply);
        }
        match request.uri().path() {
            "/authzed.api.v1.SchemaService/ReadSchema" => whole(reply, replied("schema-read")),
            "/authzed.api.v1.SchemaService/ReflectSchema" => whole(reply, replied("reflect-schema")),
            "/authzed.api.v1.WatchService/Watch" => {
                let mut stream = begin(reply);
                stream.send_data(replied("watch").0, false).unwrap();
                std::future::poll_fn(|cx| stream.poll_reset(cx)).await.ok();
            }
            _ => unimplemented(reply),
        }
    })
    .await
}

fn whole(reply: Reply, (body, trailers): (Bytes, Option<HeaderMap>)) {
    let mut stream = begin(reply);
    stream.send_data(body, false).unwrap();
    stream.send_trailers(trailers.unwrap()).unwrap();
}

/// The counts of the feed, once it has reported two checkpoints.
async fn reported(sidecar: &Running) -> serde_json::Value {
    let reported = async {
        loop {
            let feeds = stats(sidecar).await["feeds"].clone();
            if feeds["checkpoints"].as_u64() >= Some(2) {
                return feeds;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(30), reported).await.unwrap()
}

#[tokio::test]
async fn spicedbs_feed_is_followed_with_its_own_credential() {
    let upstream = spicedb().await;
    let url = format!("http://{}", upstream.address);
    let sidecar = Running::with(&[&["--upstream", &*url], &FOLLOW[..]].concat()).await;
    let feeds = reported(&sidecar).await;
    assert_eq!(
        (&feeds["followed"], &feeds["changes"]),
        (&1.into(), &4.into()),
        "{feeds}"
    );
    // Without the option nothing is asked.
    let other = Running::with(&["--upstream", &url]).await;
    assert_eq!(stats(&other).await["feeds"]["begun"], 0);
}

#[tokio::test]
async fn rule_17_a_feed_that_does_not_open_is_warned_of() {
    let upstream = spicedb().await;
    let url = format!("http://{}", upstream.address);
    let sidecar = Running::with(&["--upstream", &url, "--follow"]).await;
    let warned = async {
        while stats(&sidecar).await["warnings"]["feed_ended"] == 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(30), warned).await.unwrap();
    assert_eq!(stats(&sidecar).await["feeds"]["followed"], 0);
}

/// The lines of a feed are written as the gateway writes them.
async fn gateway(request: HttpRequest) -> impl IntoResponse {
    const TOKEN: &str = "GiQKGENMQ1NBeUN2a2dNbzhJR0xwck91NXZVWRIIYmNhOGU1MjU=";
    let json = [("content-type", "application/json")];
    let body = match request.uri().path() {
        _ if request.headers()["authorization"] != CREDENTIAL => Body::from("no"),
        "/v1/schema/read" => Body::from(format!(
            r#"{{"schemaText":"definition user {{}}", "readAt":{{"token":"{TOKEN}"}}}}"#
        )),
        "/v1/watch" => {
            let line = format!(
                r#"{{"result":{{"updates":[],"changesThrough":{{"token":"{TOKEN}"}},"schemaUpdated":false,"isCheckpoint":true}}}}"#
            );
            let lines = tokio_stream::iter([Ok::<_, std::convert::Infallible>(format!("{line}\n").repeat(3))]);
            Body::from_stream(tokio_stream::StreamExt::chain(lines, tokio_stream::pending()))
        }
        _ => Body::from("{}"),
    };
    (json, body)
}

#[tokio::test]
async fn spicedbs_feed_is_followed_through_the_gateway_alone() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, Router::new().fallback(gateway)).await });
    let sidecar = Running::with(&[&["--http-upstream", &*url], &FOLLOW[..]].concat()).await;
    assert_eq!(reported(&sidecar).await["followed"], 1);
}
