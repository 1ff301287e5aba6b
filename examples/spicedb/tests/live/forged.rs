//! Tokens that a client made by hand.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use spicedb_examples::v1::ZedToken;
use spicedb_examples::{at_exact_snapshot, at_least_as_fresh, fully_consistent, minimize_latency};
use tonic::Request;
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie::revision::{HybridTime, PostgresSnapshot, Revision};
use tower_zookie::token::TokenFormat;

use crate::enemy::is_head_read;
use crate::server::Server;

/// Tokens of the same store that lie `ahead` of what it has given out.
fn forged(server: &Server, real: &ZedToken, ahead: u64) -> Vec<ZedToken> {
    let tokens = server.tokens();
    let real = tokens.decode(&real.token).unwrap();
    let points = match server.engine {
        Engine::Postgres => {
            let snapshot = real.point::<PostgresSnapshot>().unwrap();
            // It lacks what the last transaction did.
            let (last, end) = (snapshot.xmin() - 1, snapshot.xmax() + ahead);
            let concurrent = PostgresSnapshot::new(last, end, [last]).unwrap();
            vec![
                Revision::new(real.store().clone(), PostgresSnapshot::new(end, end, []).unwrap()),
                Revision::new(real.store().clone(), concurrent),
            ]
        }
        Engine::MySql => Vec::new(),
        _ => {
            // Later ones are rejected.
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
            let nanos = i64::try_from(now).unwrap();
            vec![Revision::new(real.store().clone(), HybridTime { nanos, logical: 0 })]
        }
    };
    let spell = |point| tokens.encode(point).unwrap().as_str().to_owned();
    points.iter().map(|point| ZedToken { token: spell(point) }).collect()
}

pub(crate) async fn rule_08_a_forged_token_makes_no_answer_fresh(server: &'static Server) {
    let mut direct = server.direct();
    let relationship = server.relationship("team:forged#direct@user:forged");
    let question = server.question("team:forged", "member", "user:forged");
    let kinds = forged(server, &direct.touch(&[&relationship]).await, 1 << 32).len();
    for kind in 0..kinds {
        for exactly in [false, true] {
            let mut replica = server.replica();
            let written = direct.touch(&[&relationship]).await;
            let forged = forged(server, &written, 1 << 32).swap_remove(kind);
            let consistency = || {
                if exactly {
                    at_exact_snapshot(&forged)
                } else {
                    at_least_as_fresh(&forged)
                }
            };
            for _ in 0..3 {
                // It may be rejected. The test is about what is stored afterwards.
                let _ = replica.check(&question, consistency()).await;
                let _ = replica.bulk(&[&question], consistency()).await;
            }
            let revoked = direct.delete(&[&relationship]).await;
            let victim = replica.check(&question, at_least_as_fresh(&revoked)).await.unwrap();
            assert!(
                server.covers(&victim.says("no").at.token, &revoked.token),
                "kind {kind}, exactly {exactly}"
            );
            let own = direct.check(&question, at_least_as_fresh(&revoked)).await.unwrap();
            own.says("no");
            // If it is ahead of everything, no other caller ever gets it. An instant that the store has passed is not a
            // secret.
            let session = replica.check(&question, minimize_latency()).await.unwrap();
            let beyond = server.engine == Engine::Postgres;
            assert!(
                !beyond || session.at.token != forged.token,
                "kind {kind}, exactly {exactly}"
            );
        }
    }
}

/// A snapshot that sees all that `newest` sees, without the transaction that `removed` was made by.
fn all_but(server: &Server, newest: &ZedToken, removed: &ZedToken) -> Option<ZedToken> {
    let tokens = server.tokens();
    let [newest, removed] = [newest, removed].map(|token| tokens.decode(&token.token).unwrap());
    let (store, newest, removed) = (
        newest.store().clone(),
        newest.point::<PostgresSnapshot>()?,
        removed.point::<PostgresSnapshot>()?,
    );
    let hidden = removed.xmax() - 1;
    let in_progress = newest.in_progress().iter().copied().chain([hidden]);
    let snapshot = PostgresSnapshot::new(newest.xmin().min(hidden), newest.xmax(), in_progress).unwrap();
    let token = tokens.encode(&Revision::new(store, snapshot)).unwrap();
    Some(ZedToken {
        token: token.as_str().to_owned(),
    })
}

/// The server may give the forger any answer. No other caller gets it.
pub(crate) async fn rule_08_a_revoked_users_token_affects_no_other_caller(server: &'static Server) {
    let (mut direct, mut replica) = (server.direct(), server.replica());
    let relationship = server.relationship("team:revoked#direct@user:mallory");
    let question = server.question("team:revoked", "member", "user:mallory");
    direct.touch(&[&relationship]).await;
    let revoked = direct.delete(&[&relationship]).await;
    // Longer than any answer lives.
    tokio::time::sleep(Duration::from_secs(7)).await;
    let mut takes_it = None;
    for _ in 0..20 {
        // The quantized revision is then before the second write, and concurrent with what is forged.
        direct
            .touch(&[&server.relationship("team:something#direct@user:anyone")])
            .await;
        let anything = direct
            .touch(&[&server.relationship("team:anything#direct@user:anyone")])
            .await;
        let Some(forged) = all_but(server, &anything, &revoked) else {
            return;
        };
        let own = direct.check(&question, at_least_as_fresh(&forged)).await.unwrap();
        if own.decision == "yes" {
            takes_it = Some((anything, forged));
            break;
        }
    }
    let (anything, forged) = takes_it.expect("the server never answered at what was forged");
    // The layer learns how far the store has come, which covers what is forged.
    let other = server.question("team:anything", "member", "user:anyone");
    replica.check(&other, fully_consistent()).await.unwrap();
    for round in 0..5 {
        for consistency in [at_least_as_fresh(&forged), at_exact_snapshot(&forged)] {
            let _ = replica.check(&question, consistency).await;
        }
        let mut carried = Request::new(question.at(minimize_latency()));
        carried.metadata_mut().insert("zookie", forged.token.parse().unwrap());
        let _ = replica.permissions.check_permission(carried).await;
        let honest = [
            minimize_latency(),
            at_least_as_fresh(&revoked),
            at_least_as_fresh(&anything),
            at_exact_snapshot(&anything),
            fully_consistent(),
        ];
        for consistency in honest {
            let said = replica.check(&question, consistency).await.unwrap();
            assert!(said.says("no").at.token != forged.token, "in round {round}");
        }
        let bulk = replica.bulk(&[&question, &other], minimize_latency()).await.unwrap();
        assert_eq!(bulk.decisions()[0], "no", "in round {round}");
        tokio::time::sleep(Duration::from_millis(1500)).await;
    }
}

pub(crate) async fn rule_15_forged_floors_cost_few_head_reads(server: &'static Server) {
    let mut replica = server.replica_with(|builder| builder.cache(|cache| cache.max_head_reads(10)));
    let written = server
        .direct()
        .touch(&[&server.relationship("team:probed#direct@user:probed")])
        .await;
    let question = server.question("team:probed", "member", "user:probed");
    let began = std::time::Instant::now();
    for nth in 0..100 {
        for forged in forged(server, &written, (1 << 32) + nth) {
            let _ = replica.check(&question, at_least_as_fresh(&forged)).await;
        }
    }
    // Each may be read once more, and one background read may be among them.
    let seconds = usize::try_from(began.elapsed().as_secs()).unwrap() + 2;
    let heads = replica.checks().iter().filter(|check| is_head_read(check)).count();
    assert!(heads <= 20 * seconds + 1, "{heads} head reads in {seconds} s");
}
