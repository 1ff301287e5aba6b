//! The recorded new enemy script, in any order that its tokens allow, with other calls in between and the cache in any
//! state: a subject is granted access, loses it, and must not see what was added after that.

use std::cmp::Ordering;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use tokio::time::{Instant, advance};
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie::revision::Revision;
use tower_zookie::token::TokenFormat;
use tower_zookie::token::spicedb::ZedTokens;
use tower_zookie_testing::model::paused;
use tower_zookie_testing::wire::spicedb::{
    ConsistencyLevel, consistency, decision, is_check, is_write, token, tokens, tokens_in,
};
use tower_zookie_testing::wire::{Call, Recording, Replayed, Session};

static RECORDED: LazyLock<[(Recording, Engine); 2]> = LazyLock::new(|| {
    [
        (Recording::load("spicedb/grpc-memory"), Engine::Memory),
        (Recording::load("spicedb/grpc-postgres"), Engine::Postgres),
    ]
});

/// The writes, in their order.
const WRITES: [&str; 3] = ["enemy-grant", "enemy-revoke", "enemy-new-content"];

/// The checks of the script, and the minimum number of its writes before each check.
const CHECKS: [(&str, usize); 5] = [
    ("enemy-check-cached", 0),
    ("enemy-check-stale-allowed", 0),
    ("enemy-check-granted", 1),
    ("enemy-check-at-revocation", 2),
    ("enemy-check-new-content", 3),
];

/// Other calls, some of them by a forger.
const NOISE: [&str; 8] = [
    "check-default",
    "check-min",
    "check-exact",
    "check-least-forged",
    "check-no-forged",
    "check-least-foreign",
    "check-wrong-key",
    "bulk-default",
];

/// The maximum age of an answer.
const BOUND: Duration = Duration::from_millis(5500);

#[derive(Clone, Debug)]
enum Step {
    /// The next write, through the layer or behind its back.
    Write {
        seen: bool,
    },
    Check(usize),
    /// The check without a consistency, with the token of one of the writes in the metadata.
    Carried(usize),
    Noise(usize),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => any::<bool>().prop_map(|seen| Step::Write { seen }),
        8 => (0..CHECKS.len()).prop_map(Step::Check),
        3 => (0..2usize).prop_map(Step::Carried),
        2 => (0..NOISE.len()).prop_map(Step::Noise),
        2 => prop::sample::select(vec![1, 90, 200, 4900, 5100, 5600]).prop_map(Step::Wait),
    ]
}

struct Script {
    recording: Recording,
    engine: Engine,
    format: ZedTokens,
    session: Session<Engine>,
    /// How many of the writes have been made.
    written: usize,
}

impl Script {
    async fn begin(recorded: &(Recording, Engine)) -> Self {
        let (recording, engine) = recorded.clone();
        let first = Arc::clone(recording.call(WRITES[0]));
        Self {
            session: Session::before(&recording, engine, &first).await,
            format: ZedTokens::new(engine),
            recording,
            engine,
            written: 0,
        }
    }

    fn written_at(&self, nth: usize) -> (String, Revision) {
        let token = tokens(self.recording.call(WRITES[nth])).remove(0);
        let revision = self.format.decode(&token).unwrap();
        (token, revision)
    }

    /// The revision that the store chose for a reply, and did not take from the request.
    fn named(&self, asked: &Replayed) -> Option<Revision> {
        let call = asked.call.as_ref()?;
        let chosen = is_write(call) || is_check(call) && token(&asked.request).is_none();
        let named = tokens_in(&asked.reply, call.request.uri().path());
        self.format.decode(named.first().filter(|_| chosen)?).ok()
    }

    async fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match step {
            Step::Write { seen } if self.written < WRITES.len() => {
                let write = Arc::clone(self.recording.call(WRITES[self.written]));
                if *seen {
                    self.session.send(&write.request).await;
                }
                self.session.upstream.skip_to(write.n + 1);
                self.written += 1;
            }
            Step::Check(nth) if CHECKS[*nth].1 <= self.written => {
                let check = Arc::clone(self.recording.call(CHECKS[*nth].0));
                let floor = match consistency(&check.request) {
                    ConsistencyLevel::Least(token) => Some(token),
                    _ => None,
                };
                self.ask(&check, &check.request, floor).await?;
            }
            Step::Carried(nth) if *nth < self.written => {
                let check = Arc::clone(self.recording.call("enemy-check-cached"));
                let (token, _) = self.written_at(*nth);
                let mut request = check.request.clone();
                request
                    .headers_mut()
                    .insert("zookie", HeaderValue::from_str(&token).unwrap());
                self.ask(&check, &request, Some(token)).await?;
            }
            Step::Noise(nth) => {
                let call = self.recording.call(NOISE[*nth]);
                self.session.send(&call.request).await;
            }
            Step::Wait(millis) => advance(Duration::from_millis(*millis)).await,
            Step::Write { .. } | Step::Check(_) | Step::Carried(_) => {}
        }
        Ok(())
    }

    async fn ask(&self, check: &Call, request: &Request<Bytes>, floor: Option<String>) -> Result<(), TestCaseError> {
        let reply = self.session.send(request).await;
        let token = &tokens_in(&reply.body, request.uri().path())[0];
        let at = self.format.decode(token).unwrap();
        let reaches = |floor: &Revision| matches!(at.partial_cmp(floor), Some(Ordering::Equal | Ordering::Greater));
        let made = |nth: usize| reaches(&self.written_at(nth).1);

        let is_new_content = check.case == "enemy-check-new-content";
        let allowed = !is_new_content && made(0) && !made(1);
        prop_assert_eq!(
            decision(&reply.body),
            1 + i32::from(allowed),
            "{} at {:?}",
            check.case,
            at
        );
        prop_assert_eq!(reply.header("zookie"), Some(&**token));
        if let Some(floor) = floor {
            let floor = self.format.decode(&floor).unwrap();
            prop_assert!(reaches(&floor), "{} below its floor", check.case);
        }
        if reply.is_hit() {
            let asked = self.session.upstream.asked();
            let shows_age = |asked: &&Replayed| match self.engine {
                // A later read does not show how old an earlier answer is.
                Engine::Memory => asked.call.as_ref().is_some_and(|call| {
                    call.case.starts_with("enemy-check") && (call.case == "enemy-check-new-content") == is_new_content
                }),
                // The answer includes all that a covered read or write included.
                _ => self.named(asked).is_some_and(|named| reaches(&named)),
            };
            let newest = asked.iter().rev().find(shows_age);
            let age = Instant::now() - newest.unwrap().at;
            prop_assert!(age <= BOUND, "{} is {age:?} old", check.case);
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn rule_01_the_new_enemy_is_denied_whatever_is_stored(
        steps in prop::collection::vec(step(), 1..40), postgres: bool,
    ) {
        paused(async {
            let mut script = Script::begin(&RECORDED[usize::from(postgres)]).await;
            for step in &steps {
                script.step(step).await?;
            }
            Ok::<_, TestCaseError>(())
        })?;
    }
}

#[tokio::test(start_paused = true)]
async fn rule_01_the_script_as_it_was_recorded() {
    for recorded in RECORDED.iter() {
        let mut script = Script::begin(recorded).await;
        let steps = [
            Step::Write { seen: true },
            Step::Check(2),
            Step::Check(0),
            Step::Write { seen: true },
            Step::Write { seen: true },
            Step::Check(1),
            Step::Check(3),
            Step::Check(4),
        ];
        for step in &steps {
            script.step(step).await.unwrap();
        }
        let asked = script.session.asked(script.session.upstream.calls() - 6);
        // The answer at the grant is fresh enough for callers without a requirement, and for no caller with a later
        // token.
        let expected = [
            "enemy-grant",
            "enemy-check-granted",
            "enemy-revoke",
            "enemy-new-content",
            "enemy-check-at-revocation",
            "enemy-check-new-content",
        ];
        assert_eq!(asked, expected, "{:?}", recorded.1);
    }
}
