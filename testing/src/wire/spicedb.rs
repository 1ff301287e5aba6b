//! Recorded traffic of SpiceDB: what the tests read of its messages, without the crate's code.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Request;
use serde_json::Value;
use tokio::time::advance;
use tower_zookie::protocol::spicedb::Engine;

use crate::frame::{Field, field, fields, frame, messages, text, try_fields, unframed, without, written};
use crate::spicedb::messages::CheckPermissionResponse;
use crate::wire::{Call, Recording, Session, Traffic, is_grpc};

/// Longer than the layer's minimum time between watermarks, and short enough that two are within a window.
const APART: Duration = Duration::from_millis(700);

/// A default read whose question no other call asks.
const DEFAULT_READ: [&str; 2] = ["check-unknown-field", "http-check-unknown-field"];

impl Traffic for Engine {
    /// The layer sees all writes before the call, and before a call with a token a default read, because writes alone
    /// do not show how fresh a memory engine is.
    ///
    /// The write of the call's own token is apart from the others, so that the layer asks at that very token.
    async fn prepare(session: &Session<Self>, recording: &Recording, call: &Call) {
        let wished = token(&call.request);
        for write in recording.calls[..call.n].iter().filter(|call| is_write(call)) {
            let named = wished.is_some() && tokens(write).pop() == wished;
            if named {
                advance(APART).await;
            }
            session.upstream.skip_to(write.n);
            session.send(&write.request).await;
            if named {
                advance(APART).await;
            }
        }
        let mut calls = recording.calls.iter();
        if wished.is_some()
            && let Some(read) = calls.find(|call| DEFAULT_READ.contains(&&*call.case))
        {
            session.send(&read.request).await;
        }
    }
}

/// Whether a call is a check or a bulk of checks.
pub fn is_check(call: &Call) -> bool {
    is_check_at(call.request.uri().path())
}

fn is_check_at(path: &str) -> bool {
    let method = path.rsplit('/').next().unwrap();
    [
        "CheckPermission",
        "CheckBulkPermissions",
        "BulkCheckPermission",
        "check",
        "checkbulk",
    ]
    .contains(&method)
}

/// The consistency that a request asks for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConsistencyLevel {
    Least(String),
    Exact(String),
    Full,
    /// Not stated, or minimize latency.
    Any,
}

/// Whether a request is a check or a bulk of checks, whose consistency and questions can be read.
fn is_readable(request: &Request<Bytes>) -> bool {
    if !is_check_at(request.uri().path()) {
        return false;
    }
    if is_grpc(request.uri().path()) {
        let Some(fields) = messages(request.body()).first().and_then(|message| try_fields(message)) else {
            return false;
        };
        let consistency = fields.iter().find(|(number, ..)| *number == 1);
        return consistency.is_none_or(|(_, _, consistency)| {
            consistency
                .and_then(try_fields)
                .is_some_and(|consistency| !consistency.is_empty())
        });
    }
    let message = serde_json::from_slice::<Value>(request.body()).unwrap_or_default();
    let consistency = message["consistency"].as_object();
    message.is_object() && consistency.is_none_or(|consistency| consistency.len() == 1)
}

/// The consistency of a request that has one in its message.
pub fn consistency(request: &Request<Bytes>) -> ConsistencyLevel {
    if is_grpc(request.uri().path()) {
        let message = messages(request.body())[0];
        let token = |number| text(message, &[1, number]).map(|_| text(message, &[1, number, 1]).unwrap_or_default());
        return match field(message, 1) {
            Some([0x20, 1]) => ConsistencyLevel::Full,
            Some([0x08, 1]) | None => ConsistencyLevel::Any,
            Some(_) => token(2)
                .map(ConsistencyLevel::Least)
                .or_else(|| token(3).map(ConsistencyLevel::Exact))
                .unwrap(),
        };
    }
    let message: Value = serde_json::from_slice(request.body()).unwrap();
    let consistency = &message["consistency"];
    let token = |camel: &str, snake: &str| {
        let token = consistency[camel]["token"]
            .as_str()
            .or(consistency[snake]["token"].as_str());
        token.map(str::to_owned)
    };
    match consistency["fullyConsistent"].as_bool() {
        Some(true) => ConsistencyLevel::Full,
        _ => token("atLeastAsFresh", "at_least_as_fresh")
            .map(ConsistencyLevel::Least)
            .or_else(|| token("atExactSnapshot", "at_exact_snapshot").map(ConsistencyLevel::Exact))
            .unwrap_or(ConsistencyLevel::Any),
    }
}

/// What a request asks, without its consistency: one question, or each item of a bulk. Equal questions are spelled
/// alike.
pub fn questions(request: &Request<Bytes>) -> Vec<Vec<u8>> {
    let path = request.uri().path();
    let without_consistency = without_consistency(request);
    if is_grpc(path) {
        // One client wrote them all, so equal messages are spelled alike.
        let message = messages(without_consistency.body())[0];
        if path.ends_with("/CheckPermission") {
            return vec![message.to_vec()];
        }
        return fields(message).iter().map(|(_, item, _)| item.to_vec()).collect();
    }
    let message = camel(&serde_json::from_slice(without_consistency.body()).unwrap());
    let items = message["items"].as_array().cloned();
    let items = items.unwrap_or_else(|| vec![message]);
    items.iter().map(|item| item.to_string().into_bytes()).collect()
}

/// A JSON value with all its members' names in one spelling.
fn camel(value: &Value) -> Value {
    let rename = |name: &str| {
        let mut words = name.split('_').map(str::to_owned);
        let first = words.next().unwrap();
        words.fold(first, |name, word| name + &word[..1].to_uppercase() + &word[1..])
    };
    match value {
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| (rename(name), camel(value)));
            Value::Object(members.collect())
        }
        Value::Array(elements) => elements.iter().map(camel).collect(),
        other => other.clone(),
    }
}

/// The same question without a consistency.
pub fn without_consistency(request: &Request<Bytes>) -> Request<Bytes> {
    let body = if is_grpc(request.uri().path()) {
        frame(&without(messages(request.body())[0], 1))
    } else {
        let mut message: Value = serde_json::from_slice(request.body()).unwrap();
        message.as_object_mut().unwrap().remove("consistency");
        message.to_string().into()
    };
    request.clone().map(|_| body)
}

/// The tokens of a reply: one, or of a stream one for each message.
pub fn tokens(call: &Call) -> Vec<String> {
    tokens_in(&call.response.body(), call.request.uri().path())
}

/// The tokens in the body of a reply from this path.
pub fn tokens_in(body: &Bytes, path: &str) -> Vec<String> {
    if !is_grpc(path) {
        let message: Value = serde_json::from_slice(body).unwrap_or_default();
        let token = |member| message[member]["token"].as_str().map(str::to_owned);
        let members = ["checkedAt", "writtenAt", "deletedAt", "expandedAt", "readAt"];
        return members.into_iter().find_map(token).into_iter().collect();
    }
    let number = match path.rsplit('/').next().unwrap() {
        "ExportBulkRelationships" | "ImportBulkRelationships" => return Vec::new(),
        "ReadSchema" | "ComputablePermissions" | "DependentRelations" | "DiffSchema" | "Watch" => 2,
        "ReflectSchema" => 3,
        _ => 1,
    };
    let messages = messages(body);
    messages
        .iter()
        .filter_map(|message| text(message, &[number, 1]))
        .collect()
}

/// The same token as the layer spells it: without the transaction and the time that a PostgreSQL token may contain.
pub fn canonical(token: &str) -> String {
    let content = |fields: &[Field<'_>], number| {
        fields
            .iter()
            .find(|(found, ..)| *found == number)?
            .2
            .map(<[u8]>::to_vec)
    };
    let spelled = || {
        let token = STANDARD.decode(token).ok()?;
        let revision = content(&try_fields(&token)?, 3)?;
        let revision = try_fields(&revision)?;
        let snapshot = STANDARD.decode(content(&revision, 1)?).ok()?;
        let known = try_fields(&snapshot)?.into_iter().filter(|(number, ..)| *number < 4);
        let known: Vec<u8> = known.flat_map(|(_, bytes, _)| bytes).copied().collect();
        let mut anew = written(1, STANDARD.encode(known).as_bytes());
        let rest = revision.iter().filter(|(number, ..)| *number != 1);
        anew.extend(rest.flat_map(|(_, bytes, _)| *bytes));
        Some(STANDARD.encode(written(3, &anew)))
    };
    spelled().unwrap_or_else(|| token.to_owned())
}

/// The same request with its token in the canonical spelling.
pub fn in_canonical_spelling(request: &Request<Bytes>) -> Request<Bytes> {
    let (ConsistencyLevel::Least(token) | ConsistencyLevel::Exact(token)) = consistency(request) else {
        return request.clone();
    };
    with_token(request, &token, &canonical(&token))
}

/// The same request with another token in the place of its own.
fn with_token(request: &Request<Bytes>, token: &str, other: &str) -> Request<Bytes> {
    let body = if is_grpc(request.uri().path()) {
        let message = messages(request.body())[0];
        let kind = fields(field(message, 1).unwrap())[0].0;
        let mut anew = written(1, &written(kind, &written(1, other.as_bytes())));
        anew.extend(without(message, 1));
        frame(&anew)
    } else {
        let text = std::str::from_utf8(request.body()).unwrap();
        text.replace(token, other).into()
    };
    request.clone().map(|_| body)
}

/// The body of a reply to a check with another token in the place of its own.
fn reply_at(call: &Call, token: &str) -> Bytes {
    let body = call.response.body();
    if !is_grpc(call.request.uri().path()) {
        let text = std::str::from_utf8(&body).unwrap();
        return text.replace(&tokens(call)[0], token).into();
    }
    let mut anew = written(1, &written(1, token.as_bytes()));
    anew.extend(without(messages(&body)[0], 1));
    frame(&anew)
}

pub fn is_write(call: &Call) -> bool {
    let path = call.request.uri().path();
    [
        "/WriteSchema",
        "/WriteRelationships",
        "/DeleteRelationships",
        "/ImportBulkRelationships",
    ]
    .iter()
    .any(|method| path.ends_with(method))
        || [
            "/v1/relationships/write",
            "/v1/relationships/delete",
            "/v1/schema/write",
        ]
        .contains(&path)
}

fn is_same(a: &Request<Bytes>, b: &Request<Bytes>) -> bool {
    a.body() == b.body() || !is_grpc(a.uri().path()) && json(a) == json(b)
}

fn json(request: &Request<Bytes>) -> Option<Value> {
    serde_json::from_slice(request.body()).ok()
}

/// Whether a request is the recorded one, whatever the spelling of its token.
pub fn is_spelled_anew(recorded: &Request<Bytes>, request: &Request<Bytes>) -> bool {
    is_readable(recorded)
        && is_readable(request)
        && is_same(&in_canonical_spelling(recorded), &in_canonical_spelling(request))
}

/// Whether a request is a check that is fully consistent, so its answer changes with each write.
pub fn is_at_head(request: &Request<Bytes>) -> bool {
    is_readable(request) && consistency(request) == ConsistencyLevel::Full
}

/// The same question over gRPC, fully consistent.
pub fn at_head(request: &Request<Bytes>) -> Request<Bytes> {
    let message = [
        &written(1, &[0x20, 1]),
        messages(without_consistency(request).body())[0],
    ]
    .concat();
    request.clone().map(|_| frame(&message))
}

/// The write whose state a check reads: `head`, the last write, if it is fully consistent, or the write that it names.
pub fn state_of(request: &Request<Bytes>, calls: &[Arc<Call>], head: Option<usize>) -> Option<usize> {
    if !is_readable(request) {
        return None;
    }
    match consistency(request) {
        ConsistencyLevel::Full => head,
        ConsistencyLevel::Least(token) => written_at(calls, &token),
        ConsistencyLevel::Any | ConsistencyLevel::Exact(_) => None,
    }
}

/// The write of this token.
fn written_at(calls: &[Arc<Call>], token: &str) -> Option<usize> {
    let token = canonical(token);
    let mut writes = calls.iter().filter(|call| is_write(call));
    writes
        .find(|write| tokens(write).first().is_some_and(|own| canonical(own) == token))
        .map(|write| write.n)
}

/// The last write before the `n`th call whose token was recorded.
pub fn last_write(calls: &[Arc<Call>], n: usize) -> Option<usize> {
    let before = calls[..n.min(calls.len())].iter().rev();
    before
        .filter(|call| is_write(call) && !tokens(call).is_empty())
        .map(|write| write.n)
        .next()
}

/// The write whose state a recorded reply to a check shows, and 0 for the state before all writes. `None`: it shows no
/// state.
fn shown(call: &Call, calls: &[Arc<Call>]) -> Option<usize> {
    let token = tokens(call).into_iter().next()?;
    match consistency(&call.request) {
        ConsistencyLevel::Full => last_write(calls, call.n),
        ConsistencyLevel::Any => Some(0),
        ConsistencyLevel::Least(_) | ConsistencyLevel::Exact(_) => written_at(calls, &token),
    }
}

/// What is recorded of the question of `request` in the state that the write `state` left: the calls that were answered
/// in exactly that state, or else the last one before, with the write's token in the place of its own.
pub fn in_state(
    request: &Request<Bytes>,
    twins: &[&Arc<Call>],
    calls: &[Arc<Call>],
    state: usize,
) -> Option<(Vec<Arc<Call>>, Option<Bytes>)> {
    let asked = without_consistency(request);
    let about_it = twins.iter().filter(|call| is_readable(&call.request));
    let about_it = about_it.filter(|call| is_same(&without_consistency(&call.request), &asked));
    let shown: Vec<_> = about_it
        .filter_map(|call| Some((shown(call, calls)?, *call)))
        .filter(|(at, _)| *at <= state)
        .collect();
    let (there, before): (Vec<_>, Vec<_>) = shown.into_iter().partition(|(at, _)| *at == state);
    let at_head = |request| consistency(request) == ConsistencyLevel::Full;
    let exactly: Vec<_> = there
        .iter()
        .filter(|(_, call)| at_head(&call.request) == at_head(request))
        .map(|(_, call)| Arc::clone(call))
        .collect();
    if !exactly.is_empty() {
        return Some((exactly, None));
    }
    let (_, last) = there.into_iter().chain(before).max_by_key(|(at, _)| *at)?;
    let token = tokens(&calls[state]).remove(0);
    Some((vec![Arc::clone(last)], Some(reply_at(last, &token))))
}

/// The token in a check's consistency.
pub fn token(request: &Request<Bytes>) -> Option<String> {
    match is_readable(request).then(|| consistency(request)) {
        Some(ConsistencyLevel::Least(token) | ConsistencyLevel::Exact(token)) => Some(token),
        _ => None,
    }
}

/// The decision of a check over gRPC: 1 for no, 2 for yes, 3 for conditional.
pub fn decision(body: &[u8]) -> i32 {
    unframed::<CheckPermissionResponse>(body).permissionship
}
