//! Protocols with one defect each. For every defect, a check of the suite fails.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use serde_json::Value;
use tower_zookie::cache::{Capabilities, FingerprintBuilder, Part, ReadAt};
use tower_zookie::consistency::Consistency;
use tower_zookie::protocol::{
    Call, Claim, Key, Kind, Protocol, Received, Rejection, Reply, ReplyOutcome, Route, StoredResponse, Unreadable,
};
use tower_zookie::token::{TokenFormat, Zookie};
use tower_zookie_testing::conformance::{Answer, Api, Asks, Focus, Fresh, histories, keys, messages};

use crate::authzen_api::AuthZenApi;
use crate::routes_api::RoutesApi;
use crate::spicedb_api::SpiceDbApi;

#[derive(Clone, Copy, Debug)]
enum Defect {
    /// All questions have one key.
    OneKey,
    /// A member that the protocol does not know is not in the key.
    ForgetsUnknownMembers,
    TokenInKey,
    /// The token of the message is no floor.
    DropsToken,
    /// An exact read is read as one that is at least as fresh.
    ExactAsFloor,
    /// The revision of an answer is read as a later one.
    LaterRevision,
    /// The forwarded message does not state the token.
    AsksWithoutToken,
    /// The forwarded message asks all questions.
    AsksAll,
    /// The answers of a merged bulk are in another order.
    MergesReversed,
    /// A bulk is complete although an answer is missing.
    NeedsNothing,
    StoresErrors,
}

#[derive(Clone, Debug)]
struct Broken<T>(T, Defect);

impl<T> Broken<T> {
    fn is(&self, defect: Defect) -> bool {
        std::mem::discriminant(&self.1) == std::mem::discriminant(&defect)
    }
}

impl<P: Protocol> Protocol for Broken<P> {
    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    fn format(&self) -> Arc<dyn TokenFormat> {
        self.0.format()
    }

    fn claim(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Claim {
        self.0.claim(method, uri, headers)
    }

    fn read(&self, route: Route, parts: &Parts, message: &Bytes, key: Key<'_>) -> Result<Call, Unreadable> {
        let base = key.base.clone();
        let mut message = message.clone();
        if self.is(Defect::ForgetsUnknownMembers)
            && let Ok(Value::Object(mut members)) = serde_json::from_slice(&message)
        {
            members.remove("unknown");
            message = Value::from(members).to_string().into();
        }
        let mut call = self.0.read(route, parts, &message, key)?;
        if self.is(Defect::OneKey) {
            call.kind = keyed_again(call.kind, |_| base.clone());
        }
        if self.is(Defect::TokenInKey) {
            let header = parts
                .headers
                .get("zookie")
                .map(|token| Bytes::copy_from_slice(token.as_bytes()));
            let token = call.token.clone().or(header).unwrap_or_default();
            call.kind = keyed_again(call.kind, |key| {
                base.clone().text(Part::Body, key).bytes(Part::Body, &token)
            });
        }
        if self.is(Defect::ExactAsFloor) && call.consistency == Some(Consistency::AtExactSnapshot) {
            call.consistency = Some(Consistency::AtLeastAsFresh);
        }
        if self.is(Defect::DropsToken) {
            call.token = None;
        }
        Ok(call)
    }

    fn needed(&self, received: Received<'_>, found: &[Option<&StoredResponse>]) -> Vec<usize> {
        match self.is(Defect::NeedsNothing) && found.iter().any(Option::is_some) {
            true => Vec::new(),
            false => self.0.needed(received, found),
        }
    }

    fn ask(&self, received: Received<'_>, open: &[usize], at: &ReadAt, zookie: Option<&Zookie>) -> Option<Bytes> {
        match self.1 {
            Defect::AsksWithoutToken => self.0.ask(received, open, &ReadAt::Any, None),
            Defect::AsksAll => None,
            _ => self.0.ask(received, open, at, zookie),
        }
    }

    fn states_freshness(&self, route: Route) -> bool {
        self.0.states_freshness(route)
    }

    fn timeout(&self, route: Route, parts: &HeaderMap) -> Option<Duration> {
        self.0.timeout(route, parts)
    }

    fn learn(&self, received: Received<'_>, asked: &[usize], reply: &Reply<'_>) -> ReplyOutcome {
        let mut reply = *reply;
        if self.is(Defect::StoresErrors) {
            reply.status = StatusCode::OK;
        }
        match self.0.learn(received, asked, &reply) {
            ReplyOutcome::Answers { items, token } if self.is(Defect::LaterRevision) => ReplyOutcome::Answers {
                items,
                token: token.and_then(|token| Some((token.parse::<u64>().ok()? + 1).to_string())),
            },
            outcome => outcome,
        }
    }

    fn merge(
        &self,
        received: Received<'_>,
        answers: &[Option<&StoredResponse>],
        zookie: Option<&Zookie>,
    ) -> StoredResponse {
        let mut answers = answers.to_vec();
        if self.is(Defect::MergesReversed) {
            answers.reverse();
        }
        self.0.merge(received, &answers, zookie)
    }

    fn reject(&self, route: Route, parts: &HeaderMap, why: &Rejection) -> Response<Bytes> {
        self.0.reject(route, parts, why)
    }
}

fn keyed_again(kind: Kind, key: impl Fn(&str) -> FingerprintBuilder) -> Kind {
    match kind {
        Kind::Check(question) => Kind::Check(key(&format!("{question:?}")).finish()),
        Kind::Bulk(questions) => Kind::Bulk(
            questions
                .iter()
                .map(|question| key(&format!("{question:?}")).finish())
                .collect(),
        ),
        kind => kind,
    }
}

impl<A: Api> Api for Broken<A> {
    type Protocol = Broken<A::Protocol>;

    fn protocol(&self) -> Self::Protocol {
        Broken(self.0.protocol(), self.1)
    }

    fn token(&self, revision: u64) -> String {
        self.0.token(revision)
    }

    fn has_token_in_messages(&self) -> bool {
        self.0.has_token_in_messages()
    }

    fn request(&self, asks: &Asks, fresh: &Fresh) -> Option<Request<Bytes>> {
        self.0.request(asks, fresh)
    }

    fn receive(&self, request: &Request<Bytes>) -> Option<(Asks, Fresh)> {
        self.0.receive(request)
    }

    fn reply(&self, asks: &Asks, verdicts: &[bool], revision: u64) -> Response<Bytes> {
        self.0.reply(asks, verdicts, revision)
    }

    fn refuse(&self) -> Response<Bytes> {
        self.0.refuse()
    }

    fn answer(&self, asks: &Asks, reply: &Response<Bytes>) -> Option<Answer> {
        self.0.answer(asks, reply)
    }

    fn freshness_members(&self) -> Vec<&'static str> {
        self.0.freshness_members()
    }

    fn meaning(&self, message: &Value) -> Value {
        self.0.meaning(message)
    }
}

/// The rule that the check finds broken.
fn broken<T: std::fmt::Debug>(checked: Result<T, String>) -> String {
    let wrong = checked.expect_err("the defect is not found");
    wrong.split(':').next().unwrap_or_default().to_owned()
}

#[test]
fn rule_01_a_token_that_is_no_floor_is_found() {
    let found = broken(histories(&Broken(RoutesApi::Body, Defect::DropsToken), Focus::Floors));
    assert_eq!(found, "rule 1");
    // Or a request is refused, because it is asked at a revision that the store has not reached.
    let found = broken(histories(
        &Broken(RoutesApi::Body, Defect::LaterRevision),
        Focus::Floors,
    ));
    assert!(["rule 1", "rule 17"].contains(&&*found), "{found}");
}

#[test]
fn rule_02_an_answer_at_another_snapshot_is_found() {
    let found = broken(histories(&Broken(SpiceDbApi, Defect::ExactAsFloor), Focus::Snapshots));
    assert_eq!(found, "rule 2");
}

#[test]
fn rule_10_a_key_that_lacks_a_part_or_has_the_token_is_found() {
    for defect in [Defect::OneKey, Defect::ForgetsUnknownMembers, Defect::TokenInKey] {
        assert_eq!(broken(keys(&Broken(AuthZenApi, defect))), "rule 10", "{defect:?}");
        assert_eq!(broken(keys(&Broken(RoutesApi::Body, defect))), "rule 10", "{defect:?}");
    }
    for defect in [Defect::OneKey, Defect::TokenInKey] {
        assert_eq!(broken(keys(&Broken(RoutesApi::Path, defect))), "rule 10", "{defect:?}");
    }
    assert_eq!(
        broken(histories(&Broken(RoutesApi::Body, Defect::OneKey), Focus::Floors)),
        "rule 1"
    );
}

#[test]
fn rule_16_a_bulk_that_is_no_snapshot_is_found() {
    for defect in [Defect::MergesReversed, Defect::OneKey] {
        let found = broken(histories(&Broken(AuthZenApi, defect), Focus::Bulks));
        assert!(["rule 1", "rule 16"].contains(&&*found), "{defect:?}: {found}");
    }
    assert_eq!(
        broken(histories(&Broken(AuthZenApi, Defect::NeedsNothing), Focus::Bulks)),
        "rule 17"
    );
}

#[test]
fn messages_that_change_their_meaning_are_found() {
    assert_eq!(broken(messages(&Broken(AuthZenApi, Defect::MergesReversed))), "rule 16");
    assert_eq!(broken(messages(&Broken(AuthZenApi, Defect::AsksAll))), "ask");
    assert_eq!(broken(messages(&Broken(AuthZenApi, Defect::StoresErrors))), "rule 11");
    assert_eq!(broken(messages(&Broken(AuthZenApi, Defect::OneKey))), "rule 10");
    assert_eq!(
        broken(messages(&Broken(RoutesApi::Body, Defect::AsksWithoutToken))),
        "ask"
    );
    assert_eq!(broken(messages(&Broken(RoutesApi::Body, Defect::DropsToken))), "read");
    assert_eq!(
        broken(messages(&Broken(RoutesApi::Body, Defect::LaterRevision))),
        "rule 5"
    );
}
