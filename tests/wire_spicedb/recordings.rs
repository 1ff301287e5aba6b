//! The recordings themselves are read completely, and replayed unmodified.

use http::Request;
use http_body_util::{BodyExt, Full};
use tower::ServiceExt;
use tower_zookie_testing::wire::spicedb::{at_head, decision, tokens, tokens_in};
use tower_zookie_testing::wire::{Recording, Replay, assert_complete};

use crate::table::RECORDINGS;

#[test]
fn every_recorded_call_is_read() {
    assert_complete(RECORDINGS);
    let stream = Recording::load("spicedb/grpc-postgres");
    let watch = &stream.call("watch").response;
    assert_eq!((watch.frames.len(), watch.reset), (6, Some(8)));
}

#[tokio::test]
async fn a_replay_is_what_was_recorded() {
    let recording = Recording::load("spicedb/grpc-memory");
    let replay = Replay::new(&recording);
    for call in &recording.calls {
        let request = call.request.clone().map(Full::new);
        let reply = replay.clone().oneshot(request).await.unwrap();
        assert_eq!(reply.headers(), &call.response.headers, "{}", call.case);
        match (reply.into_body().collect().await, call.response.reset) {
            (Ok(collected), None) => {
                assert_eq!(collected.trailers(), call.response.trailers.as_ref());
                assert_eq!(collected.to_bytes(), call.response.body());
            }
            (Err(_), Some(_)) => {}
            (other, reset) => panic!("{}: {other:?}, and {reset:?} was recorded", call.case),
        }
    }
    let order: Vec<_> = replay
        .asked()
        .iter()
        .map(|asked| asked.call.as_ref().unwrap().n)
        .collect();
    assert_eq!(order, (0..108).collect::<Vec<_>>(), "twins in their turn");

    let again = recording.call("check-default").request.clone();
    replay.clone().oneshot(again.map(Full::new)).await.unwrap();
    assert_eq!(
        replay.asked()[108].call.as_ref().unwrap().case,
        "check-with-request-id",
        "the last twin"
    );
    let unknown = Request::post("/authzed.api.v1.PermissionsService/CheckPermission").body(Full::default());
    assert!(replay.clone().oneshot(unknown.unwrap()).await.is_err());
    assert!(replay.asked()[109].call.is_none());
}

#[tokio::test]
async fn a_head_read_sees_the_last_write() {
    for name in ["spicedb/grpc-memory", "spicedb/grpc-postgres"] {
        let recording = Recording::load(name);
        let replay = Replay::new(&recording);
        let question = at_head(&recording.call("enemy-check-cached").request);
        for (write, expected) in [
            ("delete-nothing", 1),
            ("enemy-grant", 2),
            ("enemy-revoke", 1),
            ("enemy-new-content", 1),
        ] {
            let write = recording.call(write);
            replay.skip_to(write.n + 1);
            let reply = replay.clone().oneshot(question.clone().map(Full::new)).await.unwrap();
            let reply = reply.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(decision(&reply), expected, "{name}: {}", write.case);
            assert_eq!(tokens_in(&reply, question.uri().path()), tokens(write));
        }
        // What was recorded in that state is replayed whole.
        let head = recording.call("check-has");
        let reply = replay.clone();
        reply.skip_to(head.n);
        let replied = reply.oneshot(head.request.clone().map(Full::new)).await.unwrap();
        assert_eq!(
            replied.into_body().collect().await.unwrap().to_bytes(),
            head.response.body()
        );
    }
}
