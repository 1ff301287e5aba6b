//! The New Enemy problem between two replicas of a service.

use spicedb_examples::v1::CheckPermissionRequest;
use spicedb_examples::v1::consistency::Requirement;
use spicedb_examples::{at_least_as_fresh, minimize_latency};

use crate::client::Client;

use crate::server::Server;

/// One replica writes and revokes. The other one has stored the answer from before.
pub(crate) async fn rule_01_another_replicas_revocation_is_seen(server: &'static Server) {
    let [mut writer, mut other] = [(); 2].map(|()| server.replica());
    let member = server.relationship("team:enemy#direct@user:enemy");
    let reader = server.relationship("repo:enemy#reader@team:enemy#member");
    let question = server.question("repo:enemy", "pull", "user:enemy");

    let granted = writer.touch(&[&member, &reader]).await;
    for replica in [&mut writer, &mut other] {
        for _ in 0..2 {
            let answer = replica.check(&question, at_least_as_fresh(&granted)).await.unwrap();
            assert!(server.covers(&answer.says("yes").at.token, &granted.token));
        }
        replica
            .check(&question, at_least_as_fresh(&granted))
            .await
            .unwrap()
            .is_hit();
    }

    let revoked = writer.delete(&[&member]).await;
    for replica in [&mut writer, &mut other] {
        for _ in 0..3 {
            let answer = replica.check(&question, at_least_as_fresh(&revoked)).await.unwrap();
            assert!(server.covers(&answer.says("no").at.token, &revoked.token));
        }
        replica
            .check(&question, at_least_as_fresh(&revoked))
            .await
            .unwrap()
            .is_hit();
        // From now on no caller gets the old answer, with an older token or without a token.
        replica
            .check(&question, at_least_as_fresh(&granted))
            .await
            .unwrap()
            .is_hit()
            .says("no");
        replica
            .check(&question, minimize_latency())
            .await
            .unwrap()
            .is_hit()
            .says("no");
    }
}

pub(crate) async fn rule_08_one_head_read_serves_all_questions(server: &'static Server) {
    let (mut writer, mut other) = (server.replica(), server.replica());
    let names = ["proven1", "proven2", "proven3"];
    let relationships = names.map(|name| server.relationship(&format!("team:{name}#direct@user:{name}")));
    let written = writer.touch(&relationships.each_ref().map(|text| &**text)).await;

    let at = || at_least_as_fresh(&written);
    for name in names {
        let question = server.question(&format!("team:{name}"), "member", &format!("user:{name}"));
        other.check(&question, at()).await.unwrap().says("yes").is_forwarded();
        other.check(&question, at()).await.unwrap().says("yes").is_hit();
    }
    let heads = |replica: &Client| replica.checks().iter().filter(|check| is_head_read(check)).count();
    assert_eq!((heads(&other), heads(&writer)), (1, 0));
}

pub(crate) fn is_head_read(check: &CheckPermissionRequest) -> bool {
    let requirement = check
        .consistency
        .as_ref()
        .and_then(|consistency| consistency.requirement.as_ref());
    matches!(requirement, Some(Requirement::FullyConsistent(_)))
}
