//! Tokens that a client made by hand.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use spicedb_examples::v1::ZedToken;
use spicedb_examples::{at_exact_snapshot, at_least_as_fresh, minimize_latency};
use tower_zookie::cache::Settings;
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie::revision::{HybridTime, PostgresSnapshot, Revision};
use tower_zookie::token::TokenFormat;

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
            // Later ones are refused.
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
            let wish = || {
                if exactly {
                    at_exact_snapshot(&forged)
                } else {
                    at_least_as_fresh(&forged)
                }
            };
            for _ in 0..3 {
                // It may be refused; what matters is what stays behind.
                let _ = replica.check(&question, wish()).await;
                let _ = replica.bulk(&[&question], wish()).await;
            }
            let revoked = direct.delete(&[&relationship]).await;
            let victim = replica.check(&question, at_least_as_fresh(&revoked)).await.unwrap();
            assert!(
                server.covers(&victim.says("no").at.token, &revoked.token),
                "kind {kind}, exactly {exactly}"
            );
            let own = direct.check(&question, at_least_as_fresh(&revoked)).await.unwrap();
            own.says("no");
            // Where it lies beyond everything, nobody is ever told it. An instant that the store has passed is no secret.
            let session = replica.check(&question, minimize_latency()).await.unwrap();
            let beyond = server.engine == Engine::Postgres;
            assert!(
                !beyond || session.at.token != forged.token,
                "kind {kind}, exactly {exactly}"
            );
        }
    }
}

pub(crate) async fn rule_15_forged_floors_do_not_cost_a_probe_each(server: &'static Server) {
    let settings = Settings::default().probe_interval(Duration::from_secs(3600));
    let mut replica = server.replica_with(|builder| builder.cache(settings));
    let written = server
        .direct()
        .touch(&[&server.relationship("team:probed#direct@user:probed")])
        .await;
    let question = server.question("team:probed", "member", "user:probed");
    for nth in 0..100 {
        for forged in forged(server, &written, (1 << 32) + nth) {
            let _ = replica.check(&question, at_least_as_fresh(&forged)).await;
        }
    }
    assert!(replica.below.probes() <= 1);
}
