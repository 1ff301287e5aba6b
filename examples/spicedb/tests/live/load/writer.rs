//! Replays recorded writes, each through one of the replicas or around both.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use spicedb_examples::relationship;
use spicedb_examples::v1::permissions_service_client::PermissionsServiceClient;
use spicedb_examples::v1::relationship_update::Operation;
use spicedb_examples::v1::{RelationshipUpdate, WriteRelationshipsRequest};
use tokio::time::{Instant, sleep_until};
use tower_zookie::store::{self, Update};

use super::history::Recorded;
use super::{Scene, WRITES, Written};
use crate::client::{Caller, Client, update};
use crate::server::Server;

/// As many as SpiceDB takes by default.
const MOST_UPDATES: usize = 1000;

/// Writes what exists before the load.
pub(super) async fn load(server: &Server, direct: &mut Client, recorded: &Recorded) -> Written {
    let mut token = None;
    for updates in recorded.before.chunks(MOST_UPDATES) {
        let updates = updates.iter().map(|update| ours(server, update)).collect();
        token = Some(direct.update(updates).await.unwrap());
    }
    Written {
        token: token.unwrap(),
        acknowledged: Instant::now(),
    }
}

/// Writes the rest, spread over the load.
pub(super) async fn run(scene: &Scene, replicas: [PermissionsServiceClient<Caller>; 2], seconds: u64) {
    let mut random = StdRng::seed_from_u64(u64::MAX);
    let [one, other] = replicas;
    let mut ways = [one, other, scene.server.direct().permissions];
    let began = Instant::now();
    let pause = Duration::from_secs(seconds) / WRITES as u32;
    for (nth, transaction) in scene.recorded.rest.iter().enumerate() {
        sleep_until(began + pause * nth as u32).await;
        if !scene.goes_on() {
            break;
        }
        // The model is ahead while a write is under way, as the server may be.
        scene.model.write(transaction.updates.iter().cloned()).unwrap();
        scene.begun.fetch_add(1, Ordering::SeqCst);
        let request = WriteRelationshipsRequest {
            updates: transaction
                .updates
                .iter()
                .map(|update| ours(scene.server, update))
                .collect(),
            ..WriteRelationshipsRequest::default()
        };
        let way = &mut ways[random.random_range(0..3)];
        let written = way
            .write_relationships(request)
            .await
            .unwrap()
            .into_inner()
            .written_at
            .unwrap();
        scene
            .writes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Written {
                token: written,
                acknowledged: Instant::now(),
            });
    }
}

fn ours(server: &Server, change: &Update) -> RelationshipUpdate {
    let operation = match change.operation {
        store::Operation::Touch => Operation::Touch,
        store::Operation::Create => Operation::Create,
        store::Operation::Delete => Operation::Delete,
    };
    let text = server.relationship(&change.relationship.to_string());
    update(operation, relationship(&text).unwrap())
}
