//! How schemas affect answers.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use tonic::Request;
use tower_zookie::consistency::Staleness;

use crate::client::SCHEMA;
use crate::server::Server;

const A_WHILE: Duration = Duration::from_secs(20);

/// Owners may view, and viewers may not.
fn stricter() -> String {
    SCHEMA.replace("view = viewer", "view = owner")
}

pub(crate) async fn rule_13_a_schema_write_ends_all_answers(server: &'static Server) {
    let replica = server.replica(&server.tenant("schema"));
    replica.define(SCHEMA).await;
    let token = replica.grant("plan", "alice").await;
    for _ in 0..2 {
        replica.check("plan", "alice", &token).await.allows();
    }
    replica.check("plan", "alice", &token).await.allows().is_hit();
    replica.define(&stricter()).await;
    replica.check("plan", "alice", &token).await.denies().is_forwarded();
}

pub(crate) async fn rule_10_versions_share_nothing(server: &'static Server) {
    let replica = server.replica(&server.tenant("versions"));
    let versions = [
        (replica.define(SCHEMA).await, true),
        (replica.define(&stricter()).await, false),
    ];
    let token = replica.grant("plan", "alice").await;
    for nth in 0..2 {
        for (version, allowed) in &versions {
            let mut question = replica.question("plan", "alice", &token);
            question.metadata.as_mut().unwrap().schema_version.clone_from(version);
            let answer = replica.ask(Request::new(question)).await.unwrap();
            assert_eq!(answer.says([*allowed]).hit(), nth == 1, "{}", answer.status);
        }
    }
}

pub(crate) async fn rule_04_anothers_schema_is_seen_within_the_window(server: &'static Server) {
    let tenant = server.tenant("others-schema");
    let short = Duration::from_millis(500);
    let replica = server.replica_with(&tenant, |builder| {
        builder.cache(|cache| cache.window(short, Staleness::percent(10)))
    });
    replica.define(SCHEMA).await;
    let token = replica.grant("plan", "alice").await;
    replica.check("plan", "alice", &token).await.allows();
    server.direct(&tenant).define(&stricter()).await;
    let seen = async {
        while replica.check("plan", "alice", &token).await.allowed == [true] {
            sleep(short / 10).await;
        }
    };
    timeout(A_WHILE, seen).await.unwrap();
}
