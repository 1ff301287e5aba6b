//! The four consistencies.

use std::time::Duration;

use spicedb_examples::v1::ZedToken;
use spicedb_examples::{at_exact_snapshot, at_least_as_fresh, fully_consistent, minimize_latency};
use tokio::time::sleep;
use tower_zookie::consistency::Staleness;
use tower_zookie::token::TokenFormat;

use crate::server::Server;

pub(crate) async fn each_consistency_answers_as_the_server_does(server: &'static Server) {
    let (mut replica, mut direct) = (server.replica(), server.direct());
    let relationship = server.relationship("team:each#direct@user:each");
    let question = server.question("team:each", "member", "user:each");
    let before = direct
        .touch(&[&server.relationship("team:each#direct@user:other")])
        .await;
    let granted = direct.touch(&[&relationship]).await;
    let revoked = direct.delete(&[&relationship]).await;
    let again = direct.touch(&[&relationship]).await;
    let tokens = [&before, &granted, &revoked, &again];
    let exact = tokens.map(at_exact_snapshot);
    let floors = tokens.map(at_least_as_fresh);
    for round in 0..2 {
        for consistency in exact
            .iter()
            .chain(&floors)
            .chain(&[minimize_latency(), fully_consistent()])
        {
            let answer = replica.check(&question, consistency.clone()).await.unwrap();
            let whole = replica.bulk(&[&question], consistency.clone()).await.unwrap();
            if server.repeats() {
                for (decision, at) in [(answer.decision, &answer.at), (&*whole.decisions()[0], &whole.at)] {
                    let own = direct.check(&question, at_exact_snapshot(at)).await.unwrap();
                    assert_eq!(
                        own.decision, decision,
                        "round {round}, {consistency:?}, {}",
                        answer.status
                    );
                }
            }
        }
    }
    // The newest write counts.
    replica
        .check(&question, at_least_as_fresh(&again))
        .await
        .unwrap()
        .says("yes");
}

pub(crate) async fn rule_02_snapshots_are_exact(server: &'static Server) {
    let (mut replica, mut direct) = (server.replica(), server.direct());
    let relationship = server.relationship("team:exact#direct@user:exact");
    let question = server.question("team:exact", "member", "user:exact");
    let granted = replica.touch(&[&relationship]).await;
    let revoked = direct.delete(&[&relationship]).await;
    // Without this the replica would not know that the server has passed the snapshots.
    replica.check(&question, fully_consistent()).await.unwrap().says("no");
    for (token, decision) in [(&granted, "yes"), (&revoked, "no"), (&granted, "yes")] {
        replica.below.count();
        for _ in 0..3 {
            let answer = replica.check(&question, at_exact_snapshot(token)).await.unwrap();
            // Not always in the same spelling.
            let at = &answer.says(decision).at.token;
            assert!(server.covers(at, &token.token) && server.covers(&token.token, at));
        }
        let forwarded = replica.checks();
        assert!(
            forwarded.len() <= if server.repeats() { 1 } else { 3 },
            "{}",
            forwarded.len()
        );
        // A shared call has the layer's own spelling.
        let tokens = server.tokens();
        let canonical = tokens.encode(&tokens.decode(&token.token).unwrap()).unwrap();
        let canonical = ZedToken {
            token: canonical.as_str().to_owned(),
        };
        let asked = [token, &canonical].map(|token| Some(at_exact_snapshot(token)));
        assert!(forwarded.iter().all(|check| asked.contains(&check.consistency)));
    }
    // An old snapshot's answer does not satisfy a newer floor.
    replica
        .check(&question, at_least_as_fresh(&revoked))
        .await
        .unwrap()
        .says("no");
}

pub(crate) async fn rule_03_full_consistency_is_answered_by_the_server(server: &'static Server) {
    let (mut replica, mut direct) = (server.replica(), server.direct());
    let relationship = server.relationship("team:full#direct@user:full");
    let question = server.question("team:full", "member", "user:full");
    for _ in 0..5 {
        let written = direct.touch(&[&relationship]).await;
        let answer = replica.check(&question, fully_consistent()).await.unwrap();
        assert!(server.covers(
            &answer.says("yes").is("tower-zookie; fwd=request").at.token,
            &written.token
        ));
        let written = direct.delete(&[&relationship]).await;
        let answer = replica.check(&question, fully_consistent()).await.unwrap();
        assert!(server.covers(
            &answer.says("no").is("tower-zookie; fwd=request").at.token,
            &written.token
        ));
    }
}

pub(crate) async fn rule_04_no_answer_outlives_its_age_bound(server: &'static Server) {
    let window = Duration::from_secs(1);
    let mut replica = server.replica_with(|builder| builder.cache(|cache| cache.window(window, Staleness::percent(0))));
    let written = replica
        .touch(&[&server.relationship("team:aged#direct@user:aged")])
        .await;
    let question = server.question("team:aged", "member", "user:aged");
    for consistency in [at_least_as_fresh(&written), minimize_latency()] {
        replica.check(&question, consistency.clone()).await.unwrap();
        sleep(window).await;
        replica.check(&question, consistency).await.unwrap().is_forwarded();
    }
    // Snapshots are as good as ever.
    if server.repeats() {
        replica.check(&question, at_exact_snapshot(&written)).await.unwrap();
        sleep(window).await;
        replica
            .check(&question, at_exact_snapshot(&written))
            .await
            .unwrap()
            .is_hit();
    }
}
