//! The recordings themselves are read completely.

use tower_zookie_testing::wire::{Recording, assert_complete};

use crate::table::RECORDINGS;

#[test]
fn every_recorded_call_is_read() {
    assert_complete(RECORDINGS);
    let stream = Recording::load("permify/grpc-postgres");
    let watch = &stream.call("watch").response;
    assert_eq!((watch.frames.len(), watch.reset), (15, Some(8)));
}
