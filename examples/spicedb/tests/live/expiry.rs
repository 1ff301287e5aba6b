//! Answers that change without a write: by the clock, and by the caller's context.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use prost_types::value::Kind;
use prost_types::{Struct, Value};
use spicedb_examples::v1::ContextualizedCaveat;
use spicedb_examples::v1::relationship_update::Operation;
use spicedb_examples::{at_exact_snapshot, at_least_as_fresh, fully_consistent, relationship};
use tokio::time::sleep;
use tower_zookie::consistency::Staleness;

use crate::client::{Client, update};
use crate::schema;
use crate::server::Server;

pub(crate) async fn rule_12_an_expiring_answer_is_not_served_for_ever(server: &'static Server) {
    let time_to_live = Duration::from_secs(2);
    // An age bound of twice the time to live.
    let mut replica = server.replica_with(|builder| {
        builder.cache(|cache| {
            cache
                .window(time_to_live, Staleness::percent(100))
                .time_to_live(time_to_live)
        })
    });
    let mut direct = server.direct();
    let mut opener = relationship(&server.relationship("door:expiring#opener@user:expiring")).unwrap();
    opener.optional_expires_at = Some((SystemTime::now() + Duration::from_secs(3)).into());
    let written = replica.update(vec![update(Operation::Touch, opener)]).await.unwrap();
    let question = server.question("door:expiring", "open", "user:expiring");
    for consistency in [
        at_least_as_fresh(&written),
        at_exact_snapshot(&written),
        fully_consistent(),
    ] {
        replica.check(&question, consistency.clone()).await.unwrap().says("yes");
        replica.check(&question, consistency).await.unwrap().says("yes");
    }

    // However often it is read, an entry does not outlive its time.
    let mut forwarded = 0;
    let read = Instant::now();
    while read.elapsed() < 2 * time_to_live {
        for consistency in [at_least_as_fresh(&written), at_exact_snapshot(&written)] {
            let answer = replica.check(&question, consistency).await.unwrap();
            forwarded += usize::from(answer.status.starts_with("tower-zookie; fwd="));
        }
        sleep(Duration::from_millis(100)).await;
    }
    assert!(forwarded >= 1);
    // The server's clock says when it has expired, but it, too, remembers what it evaluated at a revision.
    let renewed = async |direct: &mut Client| {
        direct
            .touch(&[&server.relationship("team:expiring#direct@user:expiring")])
            .await;
        direct.check(&question, fully_consistent()).await.unwrap().decision
    };
    while renewed(&mut direct).await == "yes" {
        sleep(Duration::from_millis(100)).await;
    }
    replica.check(&question, fully_consistent()).await.unwrap().says("no");
    let settled = direct
        .touch(&[&server.relationship("team:expired#direct@user:expired")])
        .await;
    replica
        .check(&question, at_least_as_fresh(&settled))
        .await
        .unwrap()
        .says("no");
    sleep(time_to_live).await;
    replica
        .check(&question, at_exact_snapshot(&written))
        .await
        .unwrap()
        .is_forwarded();
}

pub(crate) async fn rule_10_caveats_are_stored_under_their_context(server: &'static Server) {
    let (mut replica, mut direct) = (server.replica(), server.direct());
    let mut opener = relationship(&server.relationship("door:caveat#opener@user:caveat")).unwrap();
    opener.optional_caveat = Some(ContextualizedCaveat {
        caveat_name: format!("{}in_hours", schema::PREFIX),
        context: None,
    });
    let written = replica.update(vec![update(Operation::Touch, opener)]).await.unwrap();
    let question = server.question("door:caveat", "open", "user:caveat");
    let hour = |kind| Struct {
        fields: BTreeMap::from([("hour".to_owned(), Value { kind: Some(kind) })]),
    };
    let contexts = [
        (None, "maybe"),
        (Some(hour(Kind::NumberValue(9.0))), "yes"),
        (Some(hour(Kind::NumberValue(20.0))), "no"),
        (Some(hour(Kind::StringValue("9".to_owned()))), "yes"),
        (Some(hour(Kind::StringValue("20".to_owned()))), "no"),
        (Some(Struct::default()), "maybe"),
    ];
    for nth in 0..2 {
        for (context, decision) in &contexts {
            let mut request = question.at(at_least_as_fresh(&written));
            request.context = context.clone();
            let own = direct
                .permissions
                .check_permission(request.clone())
                .await
                .unwrap()
                .into_inner();
            let answer = replica.ask(request.clone()).await.unwrap();
            answer.says(decision);
            if nth == 1 {
                answer.is_hit();
            }
            let given = replica
                .permissions
                .check_permission(request)
                .await
                .unwrap()
                .into_inner();
            assert_eq!(given.partial_caveat_info, own.partial_caveat_info);
        }
    }
}
