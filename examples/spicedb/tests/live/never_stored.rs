//! Replies that no other caller may get.

use spicedb_examples::v1::ZedToken;
use spicedb_examples::{at_exact_snapshot, at_least_as_fresh, decision};
use tonic::Code;

use crate::server::Server;

pub(crate) async fn rule_11_errors_are_forwarded_and_not_stored(server: &'static Server) {
    let (mut replica, mut direct) = (server.replica(), server.direct());
    let written = replica
        .touch(&[&server.relationship("team:wrong#direct@user:wrong")])
        .await;
    let questions = [
        server.question("team:wrong", "no_such_permission", "user:wrong"),
        server.question("no_such_type:wrong", "member", "user:wrong"),
        server.question("team:not allowed!", "member", "user:wrong"),
    ];
    replica.below.count();
    for question in &questions {
        for _ in 0..2 {
            let own = direct.check(question, at_least_as_fresh(&written)).await.unwrap_err();
            let passed = replica.check(question, at_least_as_fresh(&written)).await.unwrap_err();
            assert_eq!((passed.code(), passed.message()), (own.code(), own.message()));
            // Their parts have no fixed order.
            assert_eq!(passed.details().len(), own.details().len());
        }
        assert_eq!(replica.checks().len(), 2);
    }
}

pub(crate) async fn rule_11_traces_are_not_stored(server: &'static Server) {
    let mut replica = server.replica();
    let written = replica
        .touch(&[&server.relationship("team:traced#direct@user:traced")])
        .await;
    let question = server.question("team:traced", "member", "user:traced");
    replica.below.count();
    for with_tracing in [true, false, true, false] {
        let mut request = question.at(at_least_as_fresh(&written));
        request.with_tracing = with_tracing;
        let reply = replica
            .permissions
            .check_permission(request)
            .await
            .unwrap()
            .into_inner();
        assert_eq!(
            (decision(reply.permissionship), reply.debug_trace.is_some()),
            ("yes", with_tracing)
        );
    }
    assert_eq!(
        replica.checks().len(),
        3,
        "only the second one without a trace is a hit"
    );
}

pub(crate) async fn rule_09_unreadable_tokens_are_left_to_the_server(server: &'static Server) {
    let (mut replica, mut direct) = (server.replica(), server.direct());
    let relationship = server.relationship("team:unread#direct@user:unread");
    let question = server.question("team:unread", "member", "user:unread");
    let written = replica.touch(&[&relationship]).await;
    replica
        .check(&question, at_least_as_fresh(&written))
        .await
        .unwrap()
        .says("yes");
    direct.delete(&[&relationship]).await;
    // No ZedToken at all, an empty one, one of another datastore (`somewhere` at 42), and one that names no datastore.
    for text in ["abc", "", "Gg4KAjQyEghzb21ldW5pcQ==", "CAESAA=="] {
        let token = ZedToken { token: text.to_owned() };
        for consistency in [at_least_as_fresh(&token), at_exact_snapshot(&token)] {
            let own = direct.check(&question, consistency.clone()).await;
            for _ in 0..2 {
                let passed = replica.check(&question, consistency.clone()).await;
                match (&own, &passed) {
                    (Ok(own), Ok(passed)) => assert_eq!(own.decision, passed.is_forwarded().decision, "{text:?}"),
                    (Err(own), Err(passed)) => {
                        assert_eq!(
                            (own.code(), own.message()),
                            (passed.code(), passed.message()),
                            "{text:?}"
                        );
                    }
                    _ => panic!("{text:?}: {passed:?} where the server says {own:?}"),
                }
            }
        }
    }
    let malformed = ZedToken {
        token: "abc".to_owned(),
    };
    let rejected = replica
        .check(&question, at_least_as_fresh(&malformed))
        .await
        .unwrap_err();
    assert_eq!(rejected.code(), Code::InvalidArgument);
}
