//! What came up in a run, so that one in which the cache did nothing does not pass.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// A piece of `Cache-Status`, or of a status line, for each thing that a run has to have seen.
const SEEN: [&str; 10] = [
    "200 tower-zookie; hit",
    "; stored",
    "; collapsed",
    "fwd=stale",
    "fwd=request",
    "from the cache",
    "does not cover the zookie",
    "is too old",
    "400 ",
    "409 ",
];

#[derive(Debug, Default)]
pub(crate) struct Tally([AtomicUsize; SEEN.len()]);

impl Tally {
    /// `note`: the status and the `Cache-Status` of a reply.
    pub(crate) fn add(&self, note: &str) {
        for (piece, count) in SEEN.iter().zip(&self.0) {
            count.fetch_add(usize::from(note.contains(piece)), Relaxed);
        }
    }

    pub(crate) fn never(&self) -> Vec<&'static str> {
        let never = SEEN.iter().zip(&self.0).filter(|(_, count)| count.load(Relaxed) == 0);
        never.map(|(piece, _)| *piece).collect()
    }
}
