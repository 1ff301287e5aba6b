//! The recordings themselves are read completely.

use crate::table::RECORDINGS;
use tower_zookie_testing::wire::Recording;
use tower_zookie_testing::wire::assert_complete;

#[test]
fn every_recorded_call_is_read() {
    assert_complete(RECORDINGS);
    let stream = Recording::load("permify/grpc-postgres");
    let watch = &stream.call("watch").response;
    assert_eq!((watch.frames.len(), watch.reset), (15, Some(8)));
}
