//! Checks at the tokens of writes.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;
use tonic::{Code, Request};
use tower_zookie::OldTokens;
use tower_zookie::consistency::Staleness;

use crate::client::SCHEMA;
use crate::server::Server;

pub(crate) async fn rule_01_a_writes_token_is_answered_and_stored(server: &'static Server) {
    let replica = server.replica(&server.tenant("stored"));
    replica.define(SCHEMA).await;
    let token = replica.grant("plan", "alice").await;
    for (user, allowed) in [("alice", true), ("bob", false)] {
        let first = replica.check("plan", user, &token).await;
        first.says([allowed]).is("fwd=miss; stored");
        assert_eq!(replica.asked_at(), [&*token]);
        replica.check("plan", user, &token).await.says([allowed]).is_hit();
        assert_eq!(replica.checks(), 0);
    }
}

pub(crate) async fn rule_01_an_older_token_is_asked_at_the_window_revision(server: &'static Server) {
    let tenant = server.tenant("older");
    let direct = server.direct(&tenant);
    direct.define(SCHEMA).await;
    // A token covers an older one if no other transaction was in progress, so it may take more than one attempt.
    for _ in 0..50 {
        let older = direct.grant("plan", "alice").await;
        let replica = server.replica(&tenant);
        let window = replica.grant("other", "alice").await;
        if server.covers(&window, &older) {
            replica.check("plan", "alice", &older).await.allows().is("stored");
            assert_eq!(replica.asked_at(), [&*window]);
            replica.check("plan", "alice", &older).await.allows().is_hit();
            replica.check("plan", "alice", &window).await.allows().is_hit();
            return;
        }
    }
    panic!("the server is too busy");
}

pub(crate) async fn rule_07_many_callers_share_one_call(server: &'static Server) {
    let replica = server.replica(&server.tenant("shared"));
    replica.define(SCHEMA).await;
    let token = replica.grant("plan", "alice").await;
    let mut callers = JoinSet::new();
    for _ in 0..50 {
        let (replica, token) = (replica.clone(), token.clone());
        callers.spawn(async move { replica.check("plan", "alice", &token).await });
    }
    for answer in callers.join_all().await {
        answer.allows();
    }
    assert_eq!(replica.checks(), 1);
}

pub(crate) async fn rule_08_an_unknown_token_is_forwarded_unmodified(server: &'static Server) {
    let tenant = server.tenant("unknown");
    let (replica, direct) = (server.replica(&tenant), server.direct(&tenant));
    direct.define(SCHEMA).await;
    let token = direct.grant("plan", "alice").await;
    for _ in 0..3 {
        let answer = replica.check("plan", "alice", &token).await;
        assert!(
            !answer.allows().is_forwarded().status.contains("; stored"),
            "{}",
            answer.status
        );
        assert_eq!(replica.asked_at(), [&*token]);
    }
}

pub(crate) async fn rule_11_errors_are_forwarded_and_not_stored(server: &'static Server) {
    let replica = server.replica(&server.tenant("errors"));
    replica.define(SCHEMA).await;
    let token = replica.grant("plan", "alice").await;
    replica.below.count();
    for _ in 0..2 {
        let mut unknown = replica.question("plan", "alice", &token);
        "fly".clone_into(&mut unknown.permission);
        assert_eq!(
            replica.ask(Request::new(unknown)).await.unwrap_err().code(),
            Code::NotFound
        );
        let mut undemanding = replica.question("plan", "alice", &token);
        undemanding.metadata = None;
        assert_eq!(
            replica.ask(Request::new(undemanding)).await.unwrap_err().code(),
            Code::InvalidArgument
        );
        assert_eq!(replica.below.count(), 2);
    }
}

pub(crate) async fn tokens_over_the_age_limit(server: &'static Server) {
    let tenant = server.tenant("old");
    for older in [OldTokens::Reject, OldTokens::AskAtHead] {
        let replica = server.replica_with(&tenant, |builder| {
            builder
                .cache(|cache| cache.window(Duration::from_millis(100), Staleness::percent(10)))
                .oldest_token(Duration::from_millis(500), older)
        });
        replica.define(SCHEMA).await;
        let token = replica.grant("plan", "alice").await;
        replica.check("plan", "alice", &token).await.allows();
        sleep(Duration::from_secs(1)).await;
        replica.below.count();
        let answer = replica
            .ask(Request::new(replica.question("plan", "alice", &token)))
            .await;
        let asked = if older == OldTokens::Reject {
            assert_eq!(answer.unwrap_err().code(), Code::OutOfRange);
            vec![]
        } else {
            answer.unwrap().allows();
            vec![String::new()]
        };
        assert_eq!(replica.asked_at(), asked);
    }
}
