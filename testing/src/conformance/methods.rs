use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, Request, Response, StatusCode};
use tower_zookie::cache::{Fingerprint, FingerprintBuilder, Keyer, ReadAt};
use tower_zookie::consistency::Consistency;
use tower_zookie::protocol::{
    Call, Claim, Key, Kind, Protocol, Received, Reply, ReplyItem, ReplyOutcome, Route, StoredResponse,
};
use tower_zookie::token::{Carriers, Zookie};

use crate::conformance::Wrong;
use crate::conformance::api::{Api, Asks, Fresh};

/// The questions of a bulk. One is there twice.
const BULK: [usize; 4] = [0, 1, 2, 1];

/// Calls each method of the protocol directly: what the layer forwards asks what the caller asked, a reply is read as the
/// server meant it, and a merged reply says what its parts said.
///
/// # Errors
///
/// The first message whose meaning changes.
pub fn messages<A: Api>(api: &A) -> Result<(), Wrong> {
    let protocol = api.protocol();
    let elsewhere = Request::get("/conformance/elsewhere")
        .body(Bytes::new())
        .map_err(|error| error.to_string())?;
    if claimed(&protocol, &elsewhere) != Claim::Pass {
        return Err("claim: a request of another API does not pass".to_owned());
    }
    let write = Asks::Write {
        question: 1,
        allowed: true,
    };
    for (asks, expected) in [(Asks::Check(1), 1), (Asks::Bulk(BULK.to_vec()), BULK.len()), (write, 0)] {
        for token in [None, Some(api.token(2))] {
            let fresh = Fresh {
                token,
                consistency: None,
            };
            if let Some(request) = api.request(&asks, &fresh) {
                one_call(api, &protocol, &asks, expected, &fresh, &request)?;
            }
        }
    }
    Ok(())
}

fn claimed(protocol: &impl Protocol, request: &Request<Bytes>) -> Claim {
    protocol.claim(request.method(), request.uri(), request.headers())
}

/// What the protocol reads of a request; `None` if it claims or reads it not.
pub(super) fn call(
    protocol: &impl Protocol,
    request: &Request<Bytes>,
    base: &FingerprintBuilder,
) -> Option<(Route, Call)> {
    let route = match claimed(protocol, request) {
        Claim::Parts(route) | Claim::Body(route) => route,
        _ => return None,
    };
    let (parts, message) = request.clone().into_parts();
    let carriers = Carriers::default();
    let key = Key::new(base.clone(), &carriers, &parts.uri);
    let call = protocol.read(route, &parts, &message, key).ok()?;
    Some((route, call))
}

fn questions(call: &Call) -> Vec<Fingerprint> {
    match &call.kind {
        Kind::Check(question) => vec![*question],
        Kind::Bulk(questions) => questions.clone(),
        _ => Vec::new(),
    }
}

fn one_call<A: Api>(
    api: &A,
    protocol: &A::Protocol,
    asks: &Asks,
    expected: usize,
    fresh: &Fresh,
    request: &Request<Bytes>,
) -> Result<(), Wrong> {
    let base = Keyer::random().question("conformance");
    let (route, read) = call(protocol, request, &base).ok_or_else(|| format!("read: {asks:?} is not read"))?;
    let keys = questions(&read);
    if keys.len() != expected || matches!(read.kind, Kind::Write { .. }) != matches!(asks, Asks::Write { .. }) {
        return Err(format!("read: {asks:?} is read as {:?}", read.kind));
    }
    let token = read.token.as_deref().map(String::from_utf8_lossy);
    if api.has_token_in_messages() && expected > 0 && token.as_deref() != fresh.token.as_deref() {
        return Err(format!("read: the token {:?} is read as {token:?}", fresh.token));
    }
    let message = match claimed(protocol, request) {
        Claim::Parts(_) => Bytes::new(),
        _ => request.body().clone(),
    };
    let received = Received::new(route, &read, &message);
    if expected == 0 {
        return written(api, protocol, received, asks);
    }
    if let Asks::Bulk(order) = asks {
        for (key, question) in keys.iter().zip(order) {
            for (other, same) in keys.iter().zip(order) {
                if (key == other) != (question == same) {
                    return Err(format!("rule 10: questions {question} and {same} of one bulk"));
                }
            }
        }
    }
    for open in subsets(expected) {
        forwarded(api, protocol, received, asks, &open, request, &keys, &base)?;
        learned(api, protocol, received, asks, &open)?;
    }
    merged(api, protocol, received, asks)
}

/// All choices of questions, in ascending order.
fn subsets(count: usize) -> Vec<Vec<usize>> {
    let chosen = |bits: usize| (0..count).filter(|nth| (bits >> nth) & 1 == 1).collect();
    (1..1_usize << count).map(chosen).collect()
}

fn only(asks: &Asks, open: &[usize]) -> Asks {
    match asks {
        Asks::Bulk(questions) => Asks::Bulk(open.iter().map(|nth| questions[*nth]).collect()),
        asks => asks.clone(),
    }
}

#[expect(clippy::too_many_arguments, reason = "all that is known of the request")]
fn forwarded<A: Api>(
    api: &A,
    protocol: &A::Protocol,
    received: Received<'_>,
    asks: &Asks,
    open: &[usize],
    request: &Request<Bytes>,
    keys: &[Fingerprint],
    base: &FingerprintBuilder,
) -> Result<(), Wrong> {
    let text = api.token(3);
    let revision = protocol
        .format()
        .decode(&text)
        .map_err(|error| format!("token: {text}: {error}"))?;
    let zookie = Zookie::new(&text, 4096).map_err(|error| error.to_string())?;
    for (at, consistency) in [
        (ReadAt::Any, Consistency::MinimizeLatency),
        (ReadAt::AtLeast(revision.clone()), Consistency::AtLeastAsFresh),
        (ReadAt::Exact(revision.clone()), Consistency::AtExactSnapshot),
        (ReadAt::Unmodified(revision), Consistency::AtLeastAsFresh),
        (ReadAt::Head, Consistency::FullyConsistent),
    ] {
        let zookie = at.revision().map(|_| &zookie);
        let body = protocol
            .ask(received, open, &at, zookie)
            .unwrap_or_else(|| received.message.clone());
        let request = request
            .clone()
            .map(|own| if received.message.is_empty() { own } else { body });
        let wrong = |what: &str| format!("ask: {what}: {asks:?}, {open:?} at {at:?}: {:?}", request.body());
        let (read, stated) = api.receive(&request).ok_or_else(|| wrong("the server can't read it"))?;
        if read.questions() != only(asks, open).questions() {
            return Err(wrong("the server reads other questions"));
        }
        if api.has_token_in_messages() && stated.token.as_deref() != zookie.map(Zookie::as_str) {
            return Err(wrong("the server reads another token"));
        }
        let usual = [Consistency::MinimizeLatency, Consistency::AtLeastAsFresh].contains(&consistency);
        let stated = stated.consistency.filter(|stated| !usual || *stated != consistency);
        if protocol.states_freshness(received.route) && stated != Some(consistency).filter(|_| !usual) {
            return Err(wrong("the server reads another consistency"));
        }
        let again = call(protocol, &request, base).map(|(_, call)| questions(&call));
        let expected: Vec<_> = open.iter().map(|nth| keys[*nth]).collect();
        if again.as_deref() != Some(&expected) && open.len() > 1 {
            return Err(wrong("rule 10: the forwarded questions have other keys"));
        }
    }
    Ok(())
}

fn verdicts(count: usize, seed: usize) -> Vec<bool> {
    (0..count).map(|nth| (seed >> nth) & 1 == 1).collect()
}

fn learn<A: Api>(
    protocol: &A::Protocol,
    received: Received<'_>,
    open: &[usize],
    reply: &Response<Bytes>,
) -> ReplyOutcome {
    let trailers = reply.extensions().get::<HeaderMap>();
    let reply = Reply::new(reply.status(), reply.headers(), reply.body(), trailers);
    protocol.learn(received, open, &reply)
}

fn items(outcome: ReplyOutcome) -> (Vec<ReplyItem>, Option<String>) {
    match outcome {
        ReplyOutcome::Answers { items, token } => (items, token),
        _ => (Vec::new(), None),
    }
}

fn learned<A: Api>(
    api: &A,
    protocol: &A::Protocol,
    received: Received<'_>,
    asks: &Asks,
    open: &[usize],
) -> Result<(), Wrong> {
    let asked = only(asks, open);
    for seed in 0..1 << open.len() {
        let verdicts = verdicts(open.len(), seed);
        let reply = api.reply(&asked, &verdicts, 3);
        let (answers, token) = items(learn::<A>(protocol, received, open, &reply));
        if answers.len() != open.len() || answers.iter().any(|item| !item.store) {
            return Err(format!(
                "learn: {} of {} answers of {:?} are stored",
                answers.len(),
                open.len(),
                reply.body()
            ));
        }
        if token.as_ref().is_some_and(|token| *token != api.token(3)) {
            return Err(format!("rule 5: the token of the reply is read as {token:?}"));
        }
        if api.has_token_in_messages() && token.is_none() {
            return Err("rule 5: the token of the reply is not found".to_owned());
        }
        let ends = if seed == 0 { 0..reply.body().len() } else { 0..0 };
        for end in ends {
            let cut = reply.clone().map(|body| body.slice(..end));
            stores_nothing::<A>(protocol, received, open, &cut)?;
        }
        let mut failed = reply.clone();
        *failed.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        stores_nothing::<A>(protocol, received, open, &failed)?;
    }
    stores_nothing::<A>(protocol, received, open, &api.refuse())
}

fn stores_nothing<A: Api>(
    protocol: &A::Protocol,
    received: Received<'_>,
    open: &[usize],
    reply: &Response<Bytes>,
) -> Result<(), Wrong> {
    let (items, _) = items(learn::<A>(protocol, received, open, reply));
    match items.iter().any(|item| item.store) {
        true => Err(format!(
            "rule 11: an answer of {} {:?} is stored",
            reply.status(),
            reply.body()
        )),
        false => Ok(()),
    }
}

fn merged<A: Api>(api: &A, protocol: &A::Protocol, received: Received<'_>, asks: &Asks) -> Result<(), Wrong> {
    let zookie = Zookie::new(&api.token(3), 4096).map_err(|error| error.to_string())?;
    let count = asks.questions().len();
    let all: Vec<_> = (0..count).collect();
    for seed in 0..1 << count {
        let verdicts = verdicts(count, seed);
        // Each answer is of another reply.
        let mut answers = Vec::new();
        for nth in &all {
            let open = [*nth];
            let reply = api.reply(&only(asks, &open), &verdicts[*nth..=*nth], 3);
            let (items, _) = items(learn::<A>(protocol, received, &open, &reply));
            answers.extend(items.into_iter().map(|item| item.response));
        }
        if answers.len() != count {
            return Err(format!("learn: a reply to one question of {asks:?} is not read"));
        }
        let present: Vec<_> = answers.iter().map(Some).collect();
        // A check's stored answer is its reply.
        let whole = match asks {
            Asks::Bulk(_) => protocol.merge(received, &present, Some(&zookie)),
            _ => answers[0].clone(),
        };
        let reply = replied(whole, &zookie);
        let answer = api
            .answer(asks, &reply)
            .ok_or_else(|| format!("merge: unreadable: {:?}", reply.body()))?;
        let said: Option<Vec<bool>> = answer.verdicts.iter().copied().collect();
        if said.as_ref() != Some(&verdicts) || answer.token.as_deref() != Some(zookie.as_str()) {
            return Err(format!(
                "rule 16: {verdicts:?} at {zookie} are merged to {:?}",
                reply.body()
            ));
        }
        for missing in all.iter().filter(|_| count > 1) {
            let mut present = present.clone();
            present[*missing] = None;
            let reply = replied(protocol.merge(received, &present, Some(&zookie)), &zookie);
            let said = api
                .answer(asks, &reply)
                .and_then(|answer| answer.verdicts.get(*missing).copied().flatten());
            if said == Some(true) {
                return Err(format!("rule 14: a missing answer is merged to {:?}", reply.body()));
            }
        }
    }
    Ok(())
}

/// A stored response as the layer sends it.
fn replied(stored: StoredResponse, zookie: &Zookie) -> Response<Bytes> {
    let mut reply = Response::new(stored.body);
    *reply.status_mut() = stored.status;
    reply
        .headers_mut()
        .extend(stored.content_type.map(|content_type| (CONTENT_TYPE, content_type)));
    reply
        .headers_mut()
        .insert(HeaderName::from_static("zookie"), zookie.to_header_value());
    if let Some(trailers) = stored.trailers {
        reply.extensions_mut().insert(trailers);
    }
    reply
}

fn written<A: Api>(api: &A, protocol: &A::Protocol, received: Received<'_>, asks: &Asks) -> Result<(), Wrong> {
    match learn::<A>(protocol, received, &[], &api.reply(asks, &[], 3)) {
        ReplyOutcome::Wrote { token, .. } if token.as_ref().is_none_or(|token| *token == api.token(3)) => {}
        other => return Err(format!("learn: a write that succeeded is read as {other:?}")),
    }
    match learn::<A>(protocol, received, &[], &api.refuse()) {
        ReplyOutcome::Wrote { .. } => Err("learn: a write that failed is read as one that succeeded".to_owned()),
        _ => Ok(()),
    }
}
