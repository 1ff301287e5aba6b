//! Writes go through, and their replies teach.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;

use crate::common::{Client, Sent, Trouble, Upstream, z};

fn grant(client: &Client, resource: &str) -> Sent<crate::common::Both> {
    client.post("/relationships", &json!({ "grant": resource }))
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_writer_reads_its_write() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    assert!(!client.check("a").send().await.allowed());
    let written = grant(&client, "a").header("x-request-id", "7").send().await;
    assert_eq!((written.revision(), written.outcome()), (2, "fwd=method"));
    assert_eq!(written.json()["zookie"], z(2));
    assert_eq!(written.header("cache-control"), None);
    assert_eq!(upstream.last().header("x-request-id"), Some("7"));
    let reply = client.check("a").zookie(written.revision()).send().await;
    assert_eq!((reply.allowed(), reply.outcome()), (true, "fwd=stale; stored"));
    assert_eq!(
        upstream.last().header("zookie-consistency"),
        Some("at-least-as-fresh"),
        "no probe is needed"
    );
}

#[tokio::test(start_paused = true)]
async fn conditional_and_signed_writes_teach_too() {
    for name in ["if-match", "signature", "content-digest", "content-encoding"] {
        let upstream = Upstream::new();
        let client = Client::new(&upstream);
        client.check("a").send().await;
        let written = grant(&client, "a").header(name, "\"x\"").send().await;
        assert_eq!((written.outcome(), written.revision()), ("fwd=method", 2), "{name}");
        assert_eq!(client.layer.handle().trusted_revision().unwrap().as_str(), z(2));
    }
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_write_that_is_refused_teaches_nothing() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    client.check("a").send().await;
    let reply = client.post("/relationships", &json!({})).send().await;
    assert_eq!((reply.status, reply.header("zookie")), (StatusCode::BAD_REQUEST, None));
    assert_eq!(reply.header("set-cookie"), None);
    upstream.trouble(Trouble::Status(StatusCode::FORBIDDEN));
    client.request("PUT", "/schema", "").send().await;
    upstream.trouble(None);
    assert!(client.check("a").send().await.is_hit());
}

#[tokio::test(start_paused = true)]
async fn rule_13_a_schema_write_ends_all_spans() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    client.check("a").send().await;
    let reply = client.request("PUT", "/schema", "…").send().await;
    assert_eq!((reply.status, reply.revision()), (StatusCode::OK, 2));
    let reply = client.check("a").send().await;
    assert_eq!(reply.outcome(), "fwd=stale; stored");
    assert!(reply.cache_status().contains("schema"), "{}", reply.cache_status());
    assert!(client.check("a").send().await.is_hit());
}

#[tokio::test(start_paused = true)]
async fn rule_13_a_schema_write_of_unknown_outcome_ends_all_spans() {
    for outcome in 0..4 {
        let upstream = Upstream::new();
        let client = Client::new(&upstream);
        client.check("a").send().await;
        let write = client.request("PUT", "/schema", "…");
        match outcome {
            0 => {
                upstream.hold();
                assert!(
                    tokio::time::timeout(Duration::from_secs(1), write.send())
                        .await
                        .is_err()
                );
                upstream.release();
            }
            1 => {
                upstream.trouble(Trouble::Error);
                assert!(write.try_send().await.is_err());
            }
            2 => {
                upstream.trouble(Trouble::Panic);
                assert!(write.spawn().await.is_err());
            }
            _ => {
                upstream.trouble(Trouble::Status(StatusCode::GATEWAY_TIMEOUT));
                write.send().await;
            }
        }
        upstream.trouble(None);
        assert!(!client.check("a").send().await.is_hit(), "outcome {outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_relationship_write_whose_caller_hangs_up_empties_nothing() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    client.check("a").send().await;
    upstream.hold();
    let write = grant(&client, "a").send();
    assert!(tokio::time::timeout(Duration::from_secs(1), write).await.is_err());
    upstream.release();
    assert!(client.check("a").send().await.is_hit());
}

#[tokio::test(start_paused = true)]
async fn rule_13_a_write_whose_token_can_not_be_read_ends_all_spans() {
    let upstream = Upstream::new();
    upstream.pad(1000);
    let client = Client::with(&upstream, |builder| builder.max_reply_body(500));
    upstream.pad(0);
    client.check("a").send().await;
    upstream.pad(1000);
    let written = grant(&client, "a").send().await;
    assert_eq!(written.json()["zookie"], z(2), "over the limit, and yet whole");
    assert_eq!(written.header("zookie"), None);
    upstream.pad(0);
    assert!(client.check("a").send().await.allowed());
}

#[tokio::test(start_paused = true)]
async fn rule_15_a_write_whose_token_is_over_the_limit_ends_nothing() {
    let upstream = Upstream::new();
    let client = Client::with(&upstream, |builder| builder.max_token_len(128));
    client.check("a").send().await;
    upstream.become_store(&"n".repeat(100));
    let written = grant(&client, "a").send().await;
    assert_eq!(written.status, StatusCode::OK);
    assert!(written.json()["zookie"].as_str().unwrap().len() > 128);
    upstream.become_store(crate::common::NODE);
    assert!(client.check("a").send().await.is_hit());
    client.request("PUT", "/schema", "…").send().await;
    assert!(!client.check("a").send().await.is_hit(), "a schema's write ends all");
}
