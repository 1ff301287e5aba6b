//! Bulks.

use crate::client::{Client, SCHEMA};
use crate::server::{Server, is_postgres};

/// Grants until no other transaction was in progress, and returns the token.
async fn grant_alone(server: &Server, replica: &Client, documents: &[&str]) -> String {
    for _ in 0..50 {
        let mut token = String::new();
        for document in documents {
            token = replica.grant(document, "alice").await;
        }
        if server.settles(&token, &token) {
            return token;
        }
    }
    panic!("the server is too busy")
}

pub(crate) async fn rule_16_missing_items_are_asked_at_the_others_revision(server: &'static Server) {
    let replica = server.replica(&server.tenant("bulk"));
    replica.define(SCHEMA).await;
    let token = grant_alone(server, &replica, &["a", "b", "c"]).await;
    replica.bulk(&["b"], "alice", &token).await.allows().is("stored");
    assert_eq!(replica.asked_in_bulk(), [["b"]]);

    let answer = replica.bulk(&["a", "b", "none", "a"], "alice", &token).await;
    answer.says([true, true, false, true]).is("1 of 4 from the cache");
    assert_eq!(replica.asked_in_bulk(), [["a", "none", "a"]]);
    let answer = replica.bulk(&["c", "a", "none", "b", "c"], "alice", &token).await;
    answer.says([true, true, false, true, true]).is("2 of 5 from the cache");
    assert_eq!(replica.asked_in_bulk(), [["c", "none", "c"]]);
    replica
        .bulk(&["b", "c", "a"], "alice", &token)
        .await
        .says([true; 3])
        .is_hit();
}

/// Permify denies an item where its check failed, and does not say so.
pub(crate) async fn rule_11_denied_items_are_asked_again(server: &'static Server) {
    let replica = server.replica(&server.tenant("denied"));
    replica.define(SCHEMA).await;
    let mut token = replica.grant("a", "alice").await;
    if is_postgres() {
        token = grant_alone(server, &replica, &["a"]).await;
    }
    for nth in 0..3 {
        let answer = replica.bulk(&["none", "a"], "alice", &token).await;
        answer.says([false, true]).is_forwarded();
        // In memory no snapshot can be read again, so the stored answers are not enough.
        let asked: &[&str] = if nth == 0 || !is_postgres() {
            &["none", "a"]
        } else {
            &["none"]
        };
        assert_eq!(replica.asked_in_bulk(), [asked]);
    }
    replica.bulk(&["a", "a"], "alice", &token).await.says([true, true]);
}
