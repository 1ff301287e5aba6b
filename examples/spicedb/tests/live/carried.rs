//! What travels outside of the message: tokens in the metadata, compression, credentials.

use spicedb_examples::v1::consistency::Requirement;
use spicedb_examples::v1::permissions_service_client::PermissionsServiceClient;
use spicedb_examples::{Bearer, at_least_as_fresh, decision, minimize_latency};
use tonic::codec::CompressionEncoding::Gzip;
use tonic::{Code, Request};

use crate::client::status_of;
use crate::server::Server;

pub(crate) async fn rule_01_a_token_in_the_metadata_is_a_floor(server: &'static Server) {
    let (mut replica, mut direct) = (server.replica(), server.direct());
    let relationship = server.relationship("team:carried#direct@user:carried");
    let question = server.question("team:carried", "member", "user:carried");
    replica.check(&question, minimize_latency()).await.unwrap().says("no");
    let written = direct.touch(&[&relationship]).await;
    replica.below.count();

    for nth in 0..2 {
        let mut request = Request::new(question.at(minimize_latency()));
        request.metadata_mut().insert("zookie", written.token.parse().unwrap());
        let reply = replica.permissions.check_permission(request).await.unwrap();
        let status = status_of(reply.metadata());
        assert_eq!(status == "tower-zookie; hit", nth == 1, "{status}");
        let zookie = reply.metadata().get("zookie").unwrap().to_str().unwrap().to_owned();
        let reply = reply.into_inner();
        assert_eq!(
            (decision(reply.permissionship), reply.checked_at.unwrap().token),
            ("yes", zookie.clone())
        );
        assert!(server.covers(&zookie, &written.token));
    }
    let below = replica.checks();
    let [forwarded] = &*below else {
        panic!("{} checks were forwarded", below.len())
    };
    let requirement = forwarded.consistency.as_ref().unwrap().requirement.as_ref();
    // The replica does not know the token, so it reads head.
    assert!(
        matches!(requirement, Some(Requirement::FullyConsistent(true))),
        "{requirement:?}"
    );
}

/// The layer can't put the requirement into a compressed message, so it may only reject.
pub(crate) async fn rule_01_a_token_with_a_compressed_message_is_honoured(server: &'static Server) {
    let (replica, mut direct) = (server.replica(), server.direct());
    let question = server.question("team:beside", "member", "user:beside");
    let relationship = server.relationship("team:beside#direct@user:beside");
    let mut packed = replica.permissions.clone().send_compressed(Gzip);
    for _ in 0..2 {
        let written = direct.touch(&[&relationship]).await;
        let mut request = Request::new(question.at(minimize_latency()));
        request.metadata_mut().insert("zookie", written.token.parse().unwrap());
        match packed.check_permission(request).await {
            Ok(reply) => assert!(server.covers(&reply.into_inner().checked_at.unwrap().token, &written.token)),
            Err(rejected) => assert_eq!(rejected.code(), Code::Unimplemented),
        }
    }
}

pub(crate) async fn compressed_replies_go_to_clients_that_accept_them(server: &'static Server) {
    let mut replica = server.replica();
    let written = replica
        .touch(&[&server.relationship("team:packed#direct@user:packed")])
        .await;
    let question = server.question("team:packed", "member", "user:packed");
    let plain = replica.permissions.clone();
    let accepting = plain.clone().accept_compressed(Gzip);
    let packed = accepting.clone().send_compressed(Gzip);
    // A compressed question can't be read, and is forwarded.
    for (client, hit) in [
        (&packed, false),
        (&accepting, false),
        (&plain, true),
        (&accepting, true),
        (&packed, false),
    ] {
        let reply = client
            .clone()
            .check_permission(question.at(at_least_as_fresh(&written)))
            .await
            .unwrap();
        let status = status_of(reply.metadata());
        assert_eq!(
            (decision(reply.get_ref().permissionship), status == "tower-zookie; hit"),
            ("yes", hit),
            "{status}"
        );
    }
}

pub(crate) async fn rule_10_credentials_share_nothing(server: &'static Server) {
    let mut replica = server.replica();
    let written = replica
        .touch(&[&server.relationship("team:apart#direct@user:apart")])
        .await;
    let question = server.question("team:apart", "member", "user:apart");
    for _ in 0..2 {
        replica
            .check(&question, at_least_as_fresh(&written))
            .await
            .unwrap()
            .says("yes");
    }
    let stranger = Bearer::new("not the key").unwrap();
    let mut stranger = PermissionsServiceClient::with_interceptor(replica.service.clone(), stranger);
    let rejected = stranger
        .check_permission(question.at(at_least_as_fresh(&written)))
        .await
        .unwrap_err();
    assert_eq!(rejected.code(), Code::PermissionDenied);
    let mut anonymous = PermissionsServiceClient::new(replica.service.clone());
    let rejected = anonymous
        .check_permission(question.at(at_least_as_fresh(&written)))
        .await
        .unwrap_err();
    assert_eq!(rejected.code(), Code::Unauthenticated);
    replica
        .check(&question, at_least_as_fresh(&written))
        .await
        .unwrap()
        .says("yes")
        .is_hit();
}
