//! What occurred in a run, so that a run in which the cache did nothing fails.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// A part of `Cache-Status`, or of a status line, for each thing that a run must have seen.
const SEEN: [&str; 44] = [
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
    "adversary: a token that it has seen",
    "adversary: a token of the future",
    "adversary: members in another order",
    "adversary: whitespace",
    "adversary: a clock with a zero",
    "adversary: a clock of more nodes",
    "adversary: a clock of another node",
    "adversary: another base64",
    "adversary: a token of another store",
    "adversary: no token",
    "adversary: an empty token",
    "adversary: bad credentials",
    "adversary: a write",
    "adversary: cut off",
    "adversary: all requests",
    "adversary's bypass: a parameter twice",
    "adversary's bypass: a range",
    "adversary's bypass: a condition",
    "adversary's bypass: a connection header",
    "adversary's bypass: a body of a GET",
    "adversary's bypass: a name twice",
    "adversary's bypass: no JSON",
    "adversary's bypass: an over-long body",
    "adversary's bypass: trailers",
    "honest bypass: a parameter twice",
    "honest bypass: a range",
    "honest bypass: a condition",
    "honest bypass: a connection header",
    "honest bypass: a body of a GET",
    "honest bypass: a name twice",
    "honest bypass: no JSON",
    "honest bypass: an over-long body",
    "honest bypass: trailers",
    "honest: all requests",
];

#[derive(Debug)]
pub(crate) struct Tally([AtomicUsize; SEEN.len()]);

impl Default for Tally {
    fn default() -> Self {
        Self([const { AtomicUsize::new(0) }; SEEN.len()])
    }
}

impl Tally {
    /// `note`: the status and the `Cache-Status` of a reply.
    pub(crate) fn add(&self, note: &str) {
        for (piece, count) in SEEN.iter().zip(&self.0) {
            count.fetch_add(usize::from(note.contains(piece)), Relaxed);
        }
    }

    /// The adversary's requests, and all.
    pub(crate) fn requests(&self) -> (usize, usize) {
        let count = |note: &str| {
            let counts = SEEN.iter().zip(&self.0).filter(|(piece, _)| **piece == note);
            counts.map(|(_, count)| count.load(Relaxed)).sum::<usize>()
        };
        let adversary = count("adversary: all requests");
        (adversary, adversary + count("honest: all requests"))
    }

    pub(crate) fn never(&self) -> Vec<&'static str> {
        let never = SEEN.iter().zip(&self.0).filter(|(_, count)| count.load(Relaxed) == 0);
        never.map(|(piece, _)| *piece).collect()
    }
}
