//! The recordings themselves: that they are read whole, and replayed as they are.

use http::Request;
use http_body_util::{BodyExt, Full};
use tower::ServiceExt;

use crate::common::wire::protobuf::is_framed;
use crate::common::wire::{Recording, Replay};

#[test]
fn every_recorded_call_is_read() {
    for (name, calls) in [
        ("grpc-memory", 108),
        ("grpc-postgres", 108),
        ("http-memory", 27),
        ("http-postgres", 27),
    ] {
        let recording = Recording::load(&format!("spicedb/{name}"));
        let numbers: Vec<_> = recording.calls.iter().map(|call| call.n).collect();
        assert_eq!(numbers, (0..calls).collect::<Vec<_>>(), "{name}");
        for call in &recording.calls {
            assert_eq!(call.request.method(), "POST");
            if name.starts_with("grpc") && call.response.reset.is_none() {
                assert!(call.response.trailer("grpc-status").is_some(), "{}", call.case);
                assert!(is_framed(call.response.body()), "{}", call.case);
            }
        }
    }
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
