//! Replays the recorded writes, spread evenly over the run: most by the API, some behind the layer's back.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{Method, Request, StatusCode};
use bytes::Bytes;
use gateway::AnyError;
use gateway::checker::{Change, Write};
use http_body_util::Full;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::Deserialize;
use serde_json::json;
use tower_zookie::store::{Store, Transaction};
use tower_zookie::token::RevisionToken;

use super::Scene;
use super::client::{connect, whole};

#[derive(Deserialize)]
struct Written {
    revision: u64,
    zookie: String,
}

pub(super) async fn run(
    scene: Arc<Scene>,
    store: Arc<Store>,
    address: SocketAddr,
    rest: Vec<(Vec<Change>, Transaction)>,
    length: Duration,
) -> Result<Vec<Write>, AnyError> {
    let mut random = StdRng::seed_from_u64(u64::MAX);
    let mut connection = connect(address).await?;
    let mut writes = Vec::with_capacity(rest.len());
    let pause = length / (rest.len() as u32 + 1);
    for (index, (changes, transaction)) in rest.into_iter().enumerate() {
        tokio::time::sleep_until(scene.began + pause * (index as u32 + 1)).await;
        let Written { revision, zookie } = if random.random_range(0..4) == 0 {
            // Like a write by another replica: the layer does not see it.
            let revision = store.write(transaction.updates)?;
            let zookie = RevisionToken::new(store.node_id(), revision).encode();
            Written { revision, zookie }
        } else {
            connection.ready().await?;
            let reply = whole(connection.send_request(request(&changes, address)?).await?).await?;
            if reply.status() != StatusCode::OK {
                return Err(format!("a write failed: {}", String::from_utf8_lossy(reply.body())).into());
            }
            serde_json::from_slice(reply.body())?
        };
        writes.push(Write {
            revision,
            acknowledged: scene.now(),
            changes,
        });
        scene.tokens.add(revision, zookie);
    }
    Ok(writes)
}

fn request(changes: &[Change], address: SocketAddr) -> Result<Request<Full<Bytes>>, axum::http::Error> {
    let updates = changes.iter().map(|Change { exists, tuple }| {
        json!({
            "operation": if *exists { "touch" } else { "delete" },
            "resource": tuple.resource,
            "relation": tuple.relation,
            "subject": tuple.subject,
        })
    });
    let body = json!({"updates": updates.collect::<Vec<_>>()});
    Request::builder()
        .method(Method::POST)
        .uri("/relationships")
        .header("host", address.to_string())
        .header("content-type", "application/json")
        .body(Full::from(body.to_string()))
}
