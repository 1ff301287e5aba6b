//! Bulks of which a part is known.

use spicedb_examples::v1::consistency::Requirement;
use spicedb_examples::{at_exact_snapshot, at_least_as_fresh};

use crate::server::Server;

pub(crate) async fn rule_16_what_is_missing_is_asked_at_the_revision_of_what_is_known(server: &'static Server) {
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
    assert_eq!(first.verdicts(), ["yes", "no"]);
    // Somebody else changes what was answered and what was not.
    direct
        .delete(&[
            &server.relationship("team:bulk#direct@user:bulk1"),
            &server.relationship("team:bulk#lead@user:bulk3"),
        ])
        .await;
    replica.below.count();

    let asked = [&one, &three, &two, &one];
    let merged = replica.bulk(&asked, at()).await.unwrap();
    let below = replica.below.bulks();
    let [forwarded] = &*below else {
        panic!("{} bulks were forwarded", below.len())
    };
    if server.repeats() {
        merged.is("3 of 4 from the cache");
        assert_eq!(merged.verdicts(), ["yes", "yes", "no", "yes"]);
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

pub(crate) async fn rule_11_errors_of_items_are_passed_and_not_kept(server: &'static Server) {
    let mut replica = server.replica();
    let written = replica
        .touch(&[&server.relationship("team:partly#direct@user:partly")])
        .await;
    let good = server.question("team:partly", "member", "user:partly");
    let bad = server.question("team:partly", "no_such_permission", "user:partly");
    for _ in 0..2 {
        let answers = replica.bulk(&[&good, &bad], at_least_as_fresh(&written)).await.unwrap();
        assert_eq!(answers.verdicts(), ["yes", "error 9"]);
        answers.is("tower-zookie; fwd=");
    }
    let below = replica.below.bulks();
    let items: Vec<_> = below.iter().map(|bulk| bulk.items.len()).collect();
    assert_eq!(items, if server.repeats() { [2, 1] } else { [2, 2] });
}
