//! Bulks of which a part is known.

use std::time::Duration;

use spicedb_examples::v1::bulk_check_permission_pair::Response as TwinItem;
use spicedb_examples::v1::consistency::Requirement;
use spicedb_examples::v1::experimental_service_client::ExperimentalServiceClient;
use spicedb_examples::v1::{BulkCheckPermissionRequest, BulkCheckPermissionRequestItem};
use spicedb_examples::{at_exact_snapshot, at_least_as_fresh, decision};
use tower_zookie::consistency::Staleness;

use crate::client::status_of;
use crate::server::Server;

/// In one bulk, with SpiceDB's default flags.
const MOST_ITEMS: usize = 10_000;

pub(crate) async fn rule_16_missing_items_are_asked_at_the_others_revision(server: &'static Server) {
    let (mut replica, mut direct) = (server.replica(), server.direct());
    let written = replica
        .touch(&[
            &server.relationship("team:bulk#direct@user:bulk1"),
            &server.relationship("team:bulk#lead@user:bulk3"),
        ])
        .await;
    let at = || at_least_as_fresh(&written);
    let [one, two, three] =
        ["user:bulk1", "user:bulk2", "user:bulk3"].map(|user| server.question("team:bulk", "member", user));
    let first = replica.bulk(&[&one, &two], at()).await.unwrap();
    assert_eq!(first.decisions(), ["yes", "no"]);
    // Another client changes answered and unanswered items.
    direct
        .delete(&[
            &server.relationship("team:bulk#direct@user:bulk1"),
            &server.relationship("team:bulk#lead@user:bulk3"),
        ])
        .await;
    replica.below.count();

    let asked = [&one, &three, &two, &one];
    let merged = replica.bulk(&asked, at()).await.unwrap();
    let below = replica.bulks();
    let [forwarded] = &*below else {
        panic!("{} bulks were forwarded", below.len())
    };
    if server.repeats() {
        merged.is("3 of 4 from the cache");
        assert_eq!(merged.decisions(), ["yes", "yes", "no", "yes"]);
        assert_eq!(forwarded.items, [three.item()]);
        let consistency = forwarded.consistency.as_ref().unwrap();
        assert!(
            matches!(consistency.requirement, Some(Requirement::AtExactSnapshot(_))),
            "{consistency:?}"
        );
        let whole = direct.bulk(&asked, at_exact_snapshot(&merged.at)).await.unwrap();
        assert_eq!(merged.pairs, whole.pairs);
    } else {
        assert_eq!(forwarded.items.len(), asked.len());
    }
    let items: Vec<_> = merged.pairs.iter().map(|pair| pair.request.clone().unwrap()).collect();
    assert_eq!(items, asked.map(|question| question.item()));
    assert!(server.covers(&merged.at.token, &written.token));

    if server.repeats() {
        let again = replica.bulk(&asked, at()).await.unwrap();
        again.is("tower-zookie; hit");
        assert_eq!((again.pairs, again.at), (merged.pairs, merged.at));
        assert_eq!(replica.below.count(), 0);
    }
}

pub(crate) async fn rule_11_item_errors_are_forwarded_and_not_stored(server: &'static Server) {
    let mut replica = server.replica();
    let written = replica
        .touch(&[&server.relationship("team:partly#direct@user:partly")])
        .await;
    let good = server.question("team:partly", "member", "user:partly");
    let bad = server.question("team:partly", "no_such_permission", "user:partly");
    for _ in 0..2 {
        let answers = replica.bulk(&[&good, &bad], at_least_as_fresh(&written)).await.unwrap();
        assert_eq!(answers.decisions(), ["yes", "error 9"]);
        answers.is("tower-zookie; fwd=");
    }
    let below = replica.bulks();
    let items: Vec<_> = below.iter().map(|bulk| bulk.items.len()).collect();
    assert_eq!(items, if server.repeats() { [2, 1] } else { [2, 2] });
}

/// As many as the server takes, and one more.
pub(crate) async fn rule_15_large_bulks(server: &'static Server) {
    // In memory a server can take a quarter of a minute for this many, and where answers are not merged a few are
    // enough.
    let most = if server.repeats() { MOST_ITEMS } else { 100 };
    let minute = Duration::from_secs(60);
    let mut replica = server.replica_with(|builder| {
        builder.cache(|cache| cache.flight_timeout(2 * minute).window(minute, Staleness::percent(10)))
    });
    let mut direct = server.direct();
    let written = replica
        .touch(&[&server.relationship("team:large#direct@user:large7")])
        .await;
    let questions: Vec<_> = (0..=MOST_ITEMS)
        .map(|n| server.question("team:large", "member", &format!("user:large{n}")))
        .collect();
    let questions: Vec<_> = questions.iter().collect();
    let all = &questions[..most];
    replica
        .bulk(&all[..most / 2], at_least_as_fresh(&written))
        .await
        .unwrap();
    for nth in 0..2 {
        let answers = replica.bulk(all, at_least_as_fresh(&written)).await.unwrap();
        let decisions = answers.decisions();
        assert_eq!(decisions.len(), most);
        assert!(
            decisions
                .iter()
                .enumerate()
                .all(|(n, decision)| decision == if n == 7 { "yes" } else { "no" })
        );
        if server.repeats() {
            answers.is(["5000 of 10000 from the cache", "tower-zookie; hit"][nth]);
        }
    }
    let own = direct.bulk(&questions, at_least_as_fresh(&written)).await.unwrap_err();
    let passed = replica.bulk(&questions, at_least_as_fresh(&written)).await.unwrap_err();
    assert_eq!((passed.code(), passed.message()), (own.code(), own.message()));
}

/// The call that `CheckBulkPermissions` was before.
#[allow(deprecated, reason = "servers still answer it")]
pub(crate) async fn the_experimental_twin(server: &'static Server) {
    let replica = server.replica();
    let mut twin = ExperimentalServiceClient::with_interceptor(replica.service.clone(), server.bearer.clone());
    let written = server
        .direct()
        .touch(&[&server.relationship("team:twin#direct@user:twin1")])
        .await;
    for nth in 0..2 {
        let items = ["user:twin1", "user:twin2"].map(|user| {
            let question = server.question("team:twin", "member", user).item();
            BulkCheckPermissionRequestItem {
                resource: question.resource,
                permission: question.permission,
                subject: question.subject,
                context: None,
            }
        });
        let request = BulkCheckPermissionRequest {
            consistency: Some(at_least_as_fresh(&written)),
            items: items.into(),
        };
        let reply = twin.bulk_check_permission(request).await.unwrap();
        let status = status_of(reply.metadata());
        assert_eq!(status == "tower-zookie; hit", nth == 1 && server.repeats(), "{status}");
        let decisions = reply.into_inner().pairs.into_iter().map(|pair| match pair.response {
            Some(TwinItem::Item(item)) => decision(item.permissionship),
            _ => "error",
        });
        assert_eq!(decisions.collect::<Vec<_>>(), ["yes", "no"]);
    }
}
