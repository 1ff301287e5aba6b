//! Tokens in headers and cookies: how they change the message that the layer forwards.

use bytes::Bytes;
use http::{HeaderValue, Request};
use tower_zookie::protocol::permify::Engine;
use tower_zookie_testing::wire::permify::{token, with_token, written};
use tower_zookie_testing::wire::{Recording, Session, is_grpc};

use crate::table::RECORDINGS;

fn with_header(request: &Request<Bytes>, name: &'static str, value: &str) -> Request<Bytes> {
    let mut request = request.clone();
    request
        .headers_mut()
        .insert(name, HeaderValue::from_str(value).unwrap());
    request
}

/// A recorded check without a token, and the same at the token of a write.
struct DefaultRead {
    recording: Recording,
    engine: Engine,
    /// Their names.
    tokenless: &'static str,
    at_token: &'static str,
    /// The write's token.
    at: String,
}

fn tokenless() -> impl Iterator<Item = DefaultRead> {
    RECORDINGS.into_iter().flat_map(|(name, engine, _)| {
        let recording = Recording::load(name);
        if name.contains("grpc") {
            let at = written(recording.call("data-write-attributes")).unwrap();
            let pairs = [
                ("check-head", "check-token-no-version"),
                ("check-head-with-version", "check-allowed-again"),
            ];
            let both = pairs.map(|(tokenless, at_token)| DefaultRead {
                recording: recording.clone(),
                engine,
                tokenless,
                at_token,
                at: at.clone(),
            });
            return Vec::from(both);
        }
        let at = written(recording.call("http-write")).unwrap();
        let (tokenless, at_token) = ("http-check-head", "http-check-head at a token");
        let head = recording.call(tokenless).clone();
        let one = DefaultRead {
            recording: recording.and(at_token, with_token(&head.request, Some(&at)), head.response.clone()),
            engine,
            tokenless,
            at_token,
            at,
        };
        vec![one]
    })
}

impl DefaultRead {
    fn request(&self) -> &Request<Bytes> {
        &self.recording.call(self.tokenless).request
    }

    fn at(&self, token: &str) -> Request<Bytes> {
        with_token(self.request(), Some(token))
    }

    /// The reply without a token, and the one at the write's.
    fn bodies(&self) -> [Bytes; 2] {
        [self.tokenless, self.at_token].map(|case| self.recording.call(case).response.body())
    }

    fn session(&self) -> Session<Engine> {
        let session = Session::new(&self.recording, self.engine);
        session.upstream.skip_to(self.recording.call(self.at_token).n);
        session
    }

    /// A session that has seen the write, and the number of upstream calls by then.
    async fn with_named_token(&self) -> (Session<Engine>, usize) {
        self.after_write(Session::new(&self.recording, self.engine)).await
    }

    async fn after_write(&self, session: Session<Engine>) -> (Session<Engine>, usize) {
        session.see(&self.recording, &self.at).await;
        session.upstream.skip_to(self.recording.call(self.at_token).n);
        let asked = session.upstream.calls();
        (session, asked)
    }
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_carrier_raises_a_checks_floor() {
    for case in tokenless() {
        for (name, value) in [("zookie", case.at.clone()), ("cookie", format!("zookie={}", case.at))] {
            let carried = with_header(case.request(), name, &value);
            let (session, before) = case.with_named_token().await;
            let reply = session.send(&carried).await;
            assert_eq!(session.asked(before), [case.at_token], "{} by {name}", case.tokenless);
            assert_eq!(reply.body, case.bodies()[1]);
            assert_eq!(reply.header("zookie"), Some(&*case.at));
            let asked = &session.upstream.asked()[before].request;
            assert_eq!(token(asked).as_ref(), Some(&case.at));
            assert!(!asked.headers().contains_key(name));

            // A caller with the token in the message shares the answer, and so does a caller that accepts any answer.
            let content = with_header(case.request(), "zookie-consistency", "minimize-latency");
            for request in [carried, case.at(&case.at), content] {
                let reply = session.send(&request).await;
                assert!(reply.is_hit() && reply.body == case.bodies()[1]);
            }
            assert_eq!(session.upstream.calls(), before + 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_08_an_unknown_carried_token_asks_head_and_is_unstored() {
    for case in tokenless() {
        let carried = with_header(case.request(), "zookie", &case.at);
        let session = Session::new(&case.recording, case.engine);
        for asked in 1..3 {
            assert_eq!(session.send(&carried).await.body, case.bodies()[0]);
            assert_eq!(session.asked(0), vec![case.tokenless; asked]);
        }
        assert_eq!(session.upstream.asked()[0].request.body(), case.request().body());
        assert_eq!(session.layer.handle().stats().entries, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn windowed_reads_without_a_token_use_the_window_revision() {
    for case in tokenless() {
        let (session, before) = case.after_write(Session::windowed(&case.recording, case.engine)).await;
        let reply = session.send(case.request()).await;
        assert_eq!(session.asked(before), [case.at_token]);
        assert_eq!(reply.header("zookie"), Some(&*case.at));
        assert!(session.send(&case.at(&case.at)).await.is_hit(), "shared with the token");

        let (session, before) = case.with_named_token().await;
        session.send(case.request()).await;
        assert_eq!(session.asked(before), [case.tokenless], "head, without the setting");
    }
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_header_raises_the_floor_of_a_message() {
    for case in tokenless() {
        let older = case.at(old(case.engine));
        let carried = with_header(&older, "zookie", &case.at);
        let (session, before) = case.with_named_token().await;
        session.send(&carried).await;
        assert_eq!(session.asked(before), [case.at_token]);

        // The token is not named, so the message has the higher one.
        let session = case.session();
        session.send(&carried).await;
        assert_eq!(session.asked(0), [case.at_token]);
        assert_eq!(session.layer.handle().stats().entries, 0);
    }
}

/// A much older token.
fn old(engine: Engine) -> &'static str {
    match engine {
        Engine::Memory => "AQAAAAAAAAA=",
        _ => "MTAwOjEwMDoxMDE6MTAw",
    }
}

#[tokio::test(start_paused = true)]
async fn rule_09_malformed_tokens_are_rejected_in_carriers_only() {
    for case in tokenless() {
        let mut strangers = vec!["no snap token", "nope!", "noop"];
        if case.engine == Engine::Memory {
            strangers.push(old(Engine::Postgres));
        }
        for stranger in strangers {
            let session = case.session();
            let rejected = session.send(&with_header(case.request(), "zookie", stranger)).await;
            assert!(
                rejected.cache_status().contains("rejected"),
                "{}",
                rejected.cache_status()
            );
            if is_grpc(case.request().uri().path()) {
                assert_eq!(rejected.header("grpc-status"), Some("3"));
            } else {
                assert_eq!(rejected.status, 400);
            }
            assert_eq!(session.upstream.calls(), 0);

            // The upstream decides which answer it gets.
            let said = case.at(stranger);
            let reply = &case.recording.call(case.tokenless).response;
            let recording = case.recording.clone().and("said", said.clone(), reply.clone());
            let session = Session::new(&recording, case.engine);
            for asked in 1..3 {
                assert_eq!(session.send(&said).await.body, reply.body());
                assert_eq!(session.asked(0), vec!["said"; asked]);
            }
            assert_eq!(session.upstream.asked()[0].request.body(), said.body());
            assert_eq!(session.layer.handle().stats().entries, 0);
        }
    }
}

/// Eight bytes are nanoseconds there and a transaction's number here, so here they are a token, which is not named and
/// covers nothing.
#[tokio::test(start_paused = true)]
async fn rule_09_memorys_token_is_never_fresh_enough_on_postgres() {
    for case in tokenless().filter(|case| case.engine == Engine::Postgres) {
        let foreign = "FxHhb4CrLBc=";
        let (session, _) = case.with_named_token().await;
        session.send(&case.at(&case.at)).await;
        let before = session.upstream.calls();
        let reply = session.send(&with_header(case.request(), "zookie", foreign)).await;
        assert!(!reply.is_hit());
        assert_eq!(
            session.asked(before),
            [case.tokenless],
            "head holds whatever it stands for"
        );

        let said = case.at(foreign);
        assert!(session.try_send(&said).await.is_err(), "it was not recorded");
        assert_eq!(session.upstream.asked()[before + 1].request.body(), said.body());
    }
}

#[tokio::test(start_paused = true)]
async fn rule_03_a_fully_consistent_check_is_asked_without_a_token() {
    for case in tokenless() {
        for (name, consistency) in [
            ("zookie-consistency", "fully-consistent"),
            ("cache-control", "no-cache"),
        ] {
            let (session, before) = case.with_named_token().await;
            for token in [None, Some(&*case.at)] {
                let head = with_header(&with_token(case.request(), token), name, consistency);
                for _ in 0..2 {
                    assert!(!session.send(&head).await.is_hit());
                }
            }
            // On PostgreSQL a head may lack what the message's token names.
            let beside_a_token = match (case.engine, name) {
                (Engine::Memory, _) => vec![case.tokenless; 2],
                (_, "cache-control") => vec![case.at_token; 2],
                _ => vec![],
            };
            assert_eq!(
                session.asked(before),
                [vec![case.tokenless; 2], beside_a_token].concat()
            );
        }
    }
}
