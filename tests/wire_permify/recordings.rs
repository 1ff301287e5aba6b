//! The recordings themselves are read completely.

use crate::common::wire::Recording;
use crate::common::wire::protobuf::is_framed;
use crate::table::RECORDINGS;

#[test]
fn every_recorded_call_is_read() {
    for (name, _, table) in RECORDINGS {
        let recording = Recording::load(name);
        let numbers: Vec<_> = recording.calls.iter().map(|call| call.n).collect();
        assert_eq!(numbers, (0..table.len()).collect::<Vec<_>>(), "{name}");
        for call in &recording.calls {
            assert_eq!(call.request.method(), "POST");
            if name.contains("grpc") && call.response.reset.is_none() {
                assert!(call.response.trailer("grpc-status").is_some(), "{}", call.case);
                assert!(is_framed(call.response.body()), "{}", call.case);
            }
        }
    }
    let stream = Recording::load("permify/grpc-postgres");
    let watch = &stream.call("watch").response;
    assert_eq!((watch.frames.len(), watch.reset), (15, Some(8)));
}
