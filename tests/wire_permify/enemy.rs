//! The recorded new enemy script, in any order that its tokens allow, with other calls in between and the cache in any
//! state: a subject is granted access, loses it, and must not see what was added after that.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use tokio::time::{Instant, advance};
use tower_zookie::protocol::permify::Engine;
use tower_zookie::revision::Revision;
use tower_zookie::token::TokenFormat;
use tower_zookie::token::permify::SnapTokens;
use tower_zookie_testing::model::paused;
use tower_zookie_testing::wire::permify::{is_allowed, token, with_token, written};
use tower_zookie_testing::wire::{Reply, Session};

use crate::answers::{
    CONTENT, GRANT, LATER_CONTENT, QUESTIONS, RECORDED, REVOCATION, Recorded, SECRET, WRITES, is_granted,
};
use crate::exact::exactly;

/// Other calls, some of them by a forger.
const NOISE: [&str; 7] = [
    "check-head",
    "check-allowed",
    "check-malformed-token",
    "bulk",
    "lookup-entity",
    "data-write-unknown",
    "expand",
];

/// How long after a write its token is used for other callers.
const WINDOW: Duration = Duration::from_secs(5);

/// The maximum age of an answer.
const BOUND: Duration = Duration::from_millis(5500);

#[derive(Clone, Copy, Debug)]
enum AskedBy {
    Message,
    Header,
    /// Exactly, in the message.
    Exactly,
}

#[derive(Clone, Debug)]
enum Step {
    /// The next write, through the layer or behind its back.
    Write {
        seen: bool,
    },
    /// A check at the token of a write.
    Check {
        question: usize,
        write: usize,
        by: AskedBy,
    },
    /// One without a token.
    DefaultRead(usize),
    Noise(usize),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let by = prop_oneof![4 => Just(AskedBy::Message), 2 => Just(AskedBy::Header), 2 => Just(AskedBy::Exactly)];
    prop_oneof![
        2 => any::<bool>().prop_map(|seen| Step::Write { seen }),
        8 => (0..2usize, 0..3usize, by).prop_map(|(question, write, by)| Step::Check { question, write, by }),
        3 => (0..2usize).prop_map(Step::DefaultRead),
        2 => (0..NOISE.len()).prop_map(Step::Noise),
        2 => prop::sample::select(vec![1, 90, 200, 4900, 5100, 5600]).prop_map(Step::Wait),
    ]
}

struct Script {
    recorded: &'static Recorded,
    session: Session<Engine>,
    windowed: bool,
    /// When the writes were made.
    made: Vec<Instant>,
    seen: [bool; 3],
}

impl Script {
    fn begin(recorded: &'static Recorded, windowed: bool) -> Self {
        let (recording, engine) = (&recorded.recording, recorded.engine);
        let session = if windowed {
            Session::windowed(recording, engine)
        } else {
            Session::new(recording, engine)
        };
        Self {
            recorded,
            session,
            windowed,
            made: Vec::new(),
            seen: [false; 3],
        }
    }

    fn at(&self, write: usize) -> String {
        written(self.recorded.recording.call(WRITES[write])).unwrap()
    }

    fn revision(&self, token: &str) -> Revision {
        SnapTokens::new(self.recorded.engine).decode(token).unwrap()
    }

    fn covers(&self, at: &str, floor: &str) -> bool {
        let order = self.revision(at).partial_cmp(&self.revision(floor));
        matches!(order, Some(Ordering::Equal | Ordering::Greater))
    }

    /// The writes that have been made, as head includes them.
    fn head_is_granted(&self, question: usize) -> bool {
        question == SECRET && self.made.len() == 1
    }

    async fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match *step {
            Step::Write { seen } if self.made.len() < WRITES.len() => self.write(seen).await,
            Step::Check { question, write, by } if write < self.made.len() => {
                self.check(question, write, by).await?;
            }
            Step::DefaultRead(question) => self.read_without_token(question).await?,
            Step::Noise(nth) => {
                let call = self.recorded.recording.call(NOISE[nth]);
                // At a forged token there is no recording, and it fails.
                let _ = self.session.try_send(&call.request).await;
            }
            Step::Wait(millis) => advance(Duration::from_millis(millis)).await,
            Step::Write { .. } | Step::Check { .. } => {}
        }
        Ok(())
    }

    async fn write(&mut self, seen: bool) {
        let write = self.made.len();
        if seen {
            let call = Arc::clone(self.recorded.recording.call(WRITES[write]));
            self.session.send(&call.request).await;
        }
        self.seen[write] = seen;
        self.made.push(Instant::now());
        for (question, (subject, _)) in QUESTIONS.iter().enumerate() {
            let head = self.recorded.recording.call(&format!("{subject}-head"));
            let answer = self.recorded.answer(self.head_is_granted(question));
            self.session.upstream.replace(head, answer);
        }
    }

    fn request(&self, question: usize, token: Option<&str>) -> Request<Bytes> {
        with_token(&self.recorded.recording.call(QUESTIONS[question].1).request, token)
    }

    async fn check(&self, question: usize, write: usize, by: AskedBy) -> Result<(), TestCaseError> {
        let floor = self.at(write);
        let request = match by {
            AskedBy::Message => self.request(question, Some(&floor)),
            AskedBy::Exactly => exactly(&self.request(question, Some(&floor))),
            AskedBy::Header => {
                let mut request = self.request(question, None);
                request
                    .headers_mut()
                    .insert("zookie", HeaderValue::from_str(&floor).unwrap());
                request
            }
        };
        let before = self.session.upstream.calls();
        let reply = self.session.send(&request).await;
        let allowed = is_allowed(&reply.body);
        if matches!(by, AskedBy::Exactly) {
            prop_assert_eq!(allowed, is_granted(question, write), "exactly at {}", WRITES[write]);
            match reply.header("zookie") {
                Some(at) => prop_assert_eq!(at, &*floor),
                None => prop_assert!(!self.seen[write], "a write named it"),
            }
            let asked = &self.session.upstream.asked()[before..];
            prop_assert!(
                asked
                    .iter()
                    .all(|asked| token(&asked.request).as_deref() == Some(&*floor))
            );
            return Ok(());
        }
        prop_assert!(
            !allowed || question == SECRET && write == GRANT,
            "the enemy sees {} at {}",
            QUESTIONS[question].0,
            WRITES[write]
        );
        let asked = self.session.upstream.asked().split_off(before);
        let at = asked.last().map(|asked| token(&asked.request));
        let unnamed = at == Some(Some(floor.clone())) && reply.header("zookie").is_none();
        if unnamed {
            let age = Instant::now() - self.made[write];
            prop_assert!(!self.seen[write] || age > WINDOW, "a write named it {age:?} ago");
            prop_assert_eq!(allowed, is_granted(question, write), "not what holds at its own token");
            prop_assert!(!reply.cache_status().contains("; stored"), "{}", reply.cache_status());
        } else if at == Some(None) {
            prop_assert_eq!(reply.header("zookie"), None, "it is unknown what a head covers");
            prop_assert_eq!(allowed, self.head_is_granted(question), "head");
        } else {
            let at = reply.header("zookie").unwrap();
            prop_assert!(self.covers(at, &floor), "below the floor");
            let nth = (0..WRITES.len()).find(|&nth| self.at(nth) == at).unwrap();
            prop_assert_eq!(allowed, is_granted(question, nth), "not what holds at {}", WRITES[nth]);
        }
        self.is_young(&reply)
    }

    /// No answer is served that is older than the bound, counted from the write that it was asked at.
    fn is_young(&self, reply: &Reply) -> Result<(), TestCaseError> {
        if !reply.is_hit() {
            return Ok(());
        }
        if let Some(at) = reply.header("zookie") {
            let nth = (0..WRITES.len()).find(|&nth| self.at(nth) == at).unwrap();
            prop_assert!(self.seen[nth], "stored at a token that was not named");
            let age = Instant::now() - self.made[nth];
            prop_assert!(age <= BOUND, "{age:?} old");
        }
        Ok(())
    }

    async fn read_without_token(&self, question: usize) -> Result<(), TestCaseError> {
        let reply = self.session.send(&self.request(question, None)).await;
        let allowed = is_allowed(&reply.body);
        if self.windowed {
            let revoked = self.made.get(REVOCATION).map(|made| Instant::now() - *made);
            prop_assert!(question == SECRET || !allowed);
            prop_assert!(
                !allowed || revoked.is_none_or(|ago| ago <= BOUND),
                "revoked {revoked:?} ago"
            );
            return self.is_young(&reply);
        }
        prop_assert!(!reply.is_hit());
        prop_assert_eq!(allowed, self.head_is_granted(question), "head");
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn rule_01_the_new_enemy_is_denied_whatever_is_stored(
        steps in prop::collection::vec(step(), 1..40), postgres: bool, windowed: bool,
    ) {
        paused(async {
            let mut script = Script::begin(&RECORDED[usize::from(postgres)], windowed);
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
        let mut script = Script::begin(recorded, false);
        let check = |question, write| Step::Check {
            question,
            write,
            by: AskedBy::Message,
        };
        let steps = [
            Step::Write { seen: true },
            check(SECRET, GRANT),
            Step::Write { seen: true },
            Step::Write { seen: true },
            // Still new enough for the grant's token, and for no later one.
            check(SECRET, GRANT),
            check(SECRET, REVOCATION),
            check(SECRET, CONTENT),
            check(LATER_CONTENT, CONTENT),
            Step::Check {
                question: SECRET,
                write: GRANT,
                by: AskedBy::Exactly,
            },
        ];
        for step in &steps {
            script.step(step).await.unwrap();
        }
        let expected = [
            "enemy-grant",
            "enemy-check-granted",
            "enemy-revoke",
            "enemy-new-content",
            // The content's token covers the revocation, and is known to be fresh.
            "secret-2",
            "enemy-check-new-content",
            "enemy-check-at-grant",
        ];
        assert_eq!(script.session.asked(0), expected, "{:?}", recorded.engine);
    }
}

/// Exactly the old token is asked and answered, when everything newer is known and stored.
#[tokio::test(start_paused = true)]
async fn rule_02_an_exact_read_at_the_grant_still_sees_it() {
    let recording = &RECORDED[1].recording;
    let call = recording.call("enemy-check-at-grant");
    let session = Session::new(recording, Engine::Postgres);
    for write in WRITES {
        session.send(&recording.call(write).request).await;
    }
    for denied in ["enemy-check-at-revocation", "enemy-check-new-content"] {
        assert!(!is_allowed(&session.send(&recording.call(denied).request).await.body));
    }
    session.upstream.skip_to(call.n);
    let before = session.upstream.calls();
    for hit in [false, true, true] {
        let reply = session.send(&exactly(&call.request)).await;
        assert_eq!(reply.is_hit(), hit, "{}", reply.cache_status());
        assert_eq!(reply.body, call.response.body());
        assert!(is_allowed(&reply.body));
        assert_eq!(reply.header("zookie"), token(&call.request).as_deref());
    }
    assert_eq!(session.asked(before), ["enemy-check-at-grant"]);
    assert!(!is_allowed(
        &session
            .send(&recording.call("enemy-check-at-revocation").request)
            .await
            .body
    ));
}
