//! What Permify answers in the new enemy script at each of its tokens, also at those that were not recorded.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use tower_zookie::protocol::permify::Engine;
use tower_zookie_testing::wire::permify::{is_allowed, with_token, written};
use tower_zookie_testing::wire::{Call, Recording};

/// The writes, in their order.
pub(crate) const WRITES: [&str; 3] = ["enemy-grant", "enemy-revoke", "enemy-new-content"];

pub(crate) const GRANT: usize = 0;
pub(crate) const REVOCATION: usize = 1;
pub(crate) const CONTENT: usize = 2;

/// The question, and its recorded answers at the write's token.
pub(crate) const QUESTIONS: [(&str, &str); 2] = [
    ("secret", "enemy-check-at-revocation"),
    ("content", "enemy-check-new-content"),
];

pub(crate) const SECRET: usize = 0;
pub(crate) const LATER_CONTENT: usize = 1;

const GRANTED: &str = "enemy-check-granted";
const DENIED: &str = "enemy-check-at-revocation";

/// A recording, with Permify's answers at the other tokens and at head: alice may see the secret from the grant until
/// the revocation, and never the content.
pub(crate) struct Recorded {
    pub(crate) engine: Engine,
    pub(crate) recording: Recording,
}

pub(crate) fn is_granted(question: usize, write: usize) -> bool {
    question == SECRET && write == GRANT
}

pub(crate) static RECORDED: LazyLock<[Recorded; 2]> = LazyLock::new(|| {
    [
        Recorded::load("permify/grpc-memory", Engine::Memory),
        Recorded::load("permify/grpc-postgres", Engine::Postgres),
    ]
});

impl Recorded {
    fn load(name: &str, engine: Engine) -> Self {
        let mut recording = Recording::load(name);
        let writes = WRITES.map(|case| written(recording.call(case)).unwrap());
        for (question, (subject, recorded)) in QUESTIONS.into_iter().enumerate() {
            let asked = recording.call(recorded).request.clone();
            let [allowed, denied] = [GRANTED, DENIED].map(|case| recording.call(case).response.clone());
            for (write, at) in writes.iter().enumerate() {
                let request = with_token(&asked, Some(at));
                let granted = is_granted(question, write);
                let is_same = |call: &&Arc<Call>| call.request.body() == request.body();
                if let Some(twin) = recording.calls.iter().find(is_same) {
                    assert_eq!(is_allowed(&twin.response.body()), granted);
                    continue;
                }
                let answer = if granted { &allowed } else { &denied };
                recording = recording.and(&format!("{subject}-{write}"), request, answer.clone());
            }
            recording = recording.and(&format!("{subject}-head"), with_token(&asked, None), denied);
        }
        Self { engine, recording }
    }

    /// The body of a reply to a check.
    pub(crate) fn answer(&self, granted: bool) -> Bytes {
        let case = if granted { GRANTED } else { DENIED };
        self.recording.call(case).response.body()
    }
}
