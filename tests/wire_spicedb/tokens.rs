//! Every recorded token, read and compared: the order of the revisions is that of the scenario.

use std::cmp::Ordering;

use tower_zookie::protocol::spicedb::Engine;
use tower_zookie::revision::Revision;
use tower_zookie::token::TokenFormat;
use tower_zookie::token::spicedb::ZedTokens;
use tower_zookie_testing::frame::{field, messages};
use tower_zookie_testing::wire::spicedb::{ConsistencyLevel, consistency, is_check, is_write, tokens};
use tower_zookie_testing::wire::{Call, Recording, is_grpc};

use crate::table::RECORDINGS;

/// Tokens that were made by hand, and tokens of other datastores.
const NOT_OF_THE_STORE: [&str; 5] = [
    "check-least-legacy-zero",
    "check-least-forged",
    "check-no-forged",
    "check-least-foreign",
    "check-exact-foreign",
];

struct Scenario {
    name: &'static str,
    recording: Recording,
    format: ZedTokens,
}

fn scenarios() -> impl Iterator<Item = Scenario> {
    RECORDINGS.into_iter().map(|(name, engine, _)| Scenario {
        name,
        recording: Recording::load(name),
        format: ZedTokens::new(engine),
    })
}

impl Scenario {
    fn revision(&self, token: &str, call: &Call) -> Revision {
        let decoded = self.format.decode(token);
        decoded.unwrap_or_else(|error| panic!("{}: {}: {error}", self.name, call.case))
    }

    /// The revision of a reply, the same in every message of a stream.
    fn borne(&self, call: &Call) -> Option<Revision> {
        let tokens = tokens(call);
        let mut revisions = tokens.iter().map(|token| self.revision(token, call));
        let first = revisions.next()?;
        if !call.case.starts_with("watch") {
            assert!(revisions.all(|revision| revision == first), "{}", call.case);
        }
        Some(first)
    }

    /// The revision of the last write before a call.
    fn last_write(&self, call: &Call) -> Option<Revision> {
        let before = self.recording.calls[..call.n].iter().rev();
        before.filter(|call| is_write(call)).find_map(|write| self.borne(write))
    }
}

fn is_before(a: &Revision, b: &Revision) -> bool {
    a.partial_cmp(b) == Some(Ordering::Less)
}

fn reaches(a: &Revision, b: &Revision) -> bool {
    matches!(a.partial_cmp(b), Some(Ordering::Equal | Ordering::Greater))
}

#[test]
fn the_tokens_of_writes_ascend() {
    for scenario in scenarios() {
        let writes = scenario.recording.calls.iter().filter(|call| is_write(call));
        let writes: Vec<_> = writes
            .filter_map(|write| Some((&write.case, scenario.borne(write)?)))
            .collect();
        assert!(writes.len() >= 2);
        for pair in writes.windows(2) {
            let (before, after) = (&pair[0], &pair[1]);
            assert!(
                is_before(&before.1, &after.1),
                "{}: {} {}",
                scenario.name,
                before.0,
                after.0
            );
            assert!(!reaches(&before.1, &after.1));
        }
    }
}

#[test]
fn each_reply_has_a_revision_that_fits_its_consistency() {
    for scenario in scenarios() {
        let mut seen = [0; 4];
        for call in scenario.recording.calls.iter().filter(|call| is_check(call)) {
            let Some(borne) = scenario.borne(call) else { continue };
            let context = format!("{}: {}", scenario.name, call.case);
            let head = scenario.last_write(call).unwrap();
            match consistency(&call.request) {
                ConsistencyLevel::Full => {
                    assert!(reaches(&borne, &head), "{context}");
                    seen[0] += 1;
                }
                ConsistencyLevel::Any => {
                    assert!(is_before(&borne, &head), "{context}");
                    seen[1] += 1;
                }
                ConsistencyLevel::Least(token) => {
                    let asked = scenario.revision(&token, call);
                    if asked.store() != borne.store() {
                        assert!(NOT_OF_THE_STORE.contains(&&*call.case), "{context}");
                        assert_eq!(asked.partial_cmp(&borne), None);
                    } else {
                        assert!(reaches(&borne, &asked), "{context}");
                        let forged = call.case.ends_with("forged");
                        assert_eq!(reaches(&head, &asked), !forged, "{context}");
                    }
                    seen[2] += 1;
                }
                ConsistencyLevel::Exact(token) => {
                    assert_eq!(borne, scenario.revision(&token, call), "{context}");
                    seen[3] += 1;
                }
            }
        }
        assert!(seen.iter().all(|count| *count > 0), "{}: {seen:?}", scenario.name);
    }
}

#[test]
fn all_revisions_of_a_recording_are_of_one_store() {
    for scenario in scenarios() {
        let revisions: Vec<_> = scenario
            .recording
            .calls
            .iter()
            .filter_map(|call| scenario.borne(call))
            .collect();
        assert!(revisions.len() > 10);
        assert!(
            revisions
                .iter()
                .all(|revision| revision.store() == revisions[0].store()),
            "{}",
            scenario.name
        );
    }
    let [memory, postgres] = ["spicedb/grpc-memory", "spicedb/grpc-postgres"].map(|name| {
        let scenario = scenarios().find(|scenario| scenario.name == name).unwrap();
        let write = scenario.recording.call("write-touch");
        scenario.borne(write).unwrap()
    });
    assert_ne!(memory.store(), postgres.store());
}

#[test]
fn texts_that_the_server_rejects_are_not_tokens() {
    for scenario in scenarios().filter(|scenario| scenario.name.contains("grpc")) {
        for case in ["check-least-malformed", "check-least-empty", "check-exact-malformed"] {
            let (ConsistencyLevel::Least(token) | ConsistencyLevel::Exact(token)) =
                consistency(&scenario.recording.call(case).request)
            else {
                panic!("{case} has no token");
            };
            assert!(scenario.format.decode(&token).is_err(), "{case}");
        }
    }
}

#[test]
fn the_tokens_of_a_watch_ascend_from_where_it_starts() {
    for scenario in scenarios().filter(|scenario| scenario.name.contains("grpc")) {
        for case in ["watch", "watch-default-kinds", "watch-filtered"] {
            let call = scenario.recording.call(case);
            assert!(is_grpc(call.request.uri().path()));
            let message = messages(call.request.body())[0];
            let start = field(field(message, 2).unwrap(), 1).unwrap();
            let mut last = scenario.revision(std::str::from_utf8(start).unwrap(), call);
            let tokens = tokens(call);
            assert!(tokens.len() >= 3, "{case}");
            for token in &tokens {
                let next = scenario.revision(token, call);
                assert!(reaches(&next, &last), "{}: {case}", scenario.name);
                last = next;
            }
        }
    }
}

#[test]
fn a_rewritten_token_names_the_same_revision() {
    for scenario in scenarios() {
        for call in &scenario.recording.calls {
            for token in tokens(call) {
                let revision = scenario.revision(&token, call);
                let anew = scenario.format.encode(&revision).unwrap();
                assert_eq!(scenario.revision(anew.as_str(), call), revision, "{}", call.case);
            }
        }
        let opaque = ZedTokens::new(Engine::Opaque);
        let write = scenario.recording.calls.iter().find(|call| is_write(call)).unwrap();
        let token = &tokens(write)[0];
        let revision = opaque.decode(token).unwrap();
        assert_eq!(opaque.encode(&revision).unwrap().as_str(), token);
    }
}
