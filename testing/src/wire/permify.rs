//! Recorded traffic of Permify: what the tests read and write of its messages, without the crate's code.

use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};
use tower_zookie::ZookieLayer;
use tower_zookie::protocol::Permify;
use tower_zookie::protocol::permify::Engine;

use crate::frame::{field, fields, frame, messages, text, written as field_of};
use crate::wire::{Call, Recording, Session, Traffic, is_grpc};

impl Traffic for Engine {
    /// The layer sees only the write of the call's token, so that it asks at exactly that token.
    async fn prepare(session: &Session<Self>, recording: &Recording, call: &Call) {
        if let Some(token) = token(&call.request) {
            session.see(recording, &token).await;
        }
    }
}

impl Session<Engine> {
    /// A session whose reads without a token may be as old as the window allows.
    pub fn windowed(recording: &Recording, engine: Engine) -> Self {
        let permify = Permify::new(engine).window_reads_without_token();
        Self::through(ZookieLayer::builder(permify).build().unwrap(), recording)
    }

    /// Lets the write of this token go through, if one was recorded.
    pub async fn see(&self, recording: &Recording, token: &str) {
        let mut writes = recording.calls.iter();
        if let Some(write) = writes.find(|call| written(call).as_deref() == Some(token)) {
            self.upstream.skip_to(write.n);
            self.send(&write.request).await;
        }
    }
}

/// The text in a token's place if a write found nothing to do.
const NOTHING_WRITTEN: &str = "noop";

fn method(request: &Request<Bytes>) -> &str {
    request.uri().path().rsplit('/').next().unwrap()
}

/// Whether the answer to a call may be stored.
pub fn is_check(call: &Call) -> bool {
    is_bulk(&call.request) || ["Check", "Expand", "check", "expand"].contains(&method(&call.request))
}

pub fn is_bulk(request: &Request<Bytes>) -> bool {
    ["BulkCheck", "bulk-check"].contains(&method(request))
}

/// Whether a call reads at the token in its metadata.
fn reads(request: &Request<Bytes>) -> bool {
    let path = request.uri().path();
    path.starts_with("/base.v1.Permission/") || path.contains("/permissions/")
}

fn json_of(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_default()
}

/// The token of a read.
pub fn token(request: &Request<Bytes>) -> Option<String> {
    let token = match is_grpc(request.uri().path()) {
        _ if !reads(request) => None,
        true => text(messages(request.body())[0], &[2, 2]),
        false => json_of(request.body())["metadata"]["snap_token"]
            .as_str()
            .map(str::to_owned),
    };
    token.filter(|token| !token.is_empty())
}

/// The token in the reply to a write.
pub fn written(call: &Call) -> Option<String> {
    let path = call.request.uri().path();
    let body = call.response.body();
    let token = if path.starts_with("/base.v1.Data/") {
        text(messages(&body).first()?, &[1])
    } else {
        json_of(&body)["snap_token"].as_str().map(str::to_owned)
    };
    token.filter(|token| token != NOTHING_WRITTEN)
}

/// The same read at another token, or without one.
pub fn with_token(request: &Request<Bytes>, token: Option<&str>) -> Request<Bytes> {
    if !is_grpc(request.uri().path()) {
        let mut message = json_of(request.body());
        message["metadata"]["snap_token"] = json!(token.unwrap_or_default());
        return with_body(request, message.to_string().into());
    }
    let message = messages(request.body())[0];
    let metadata: Vec<_> = fields(field(message, 2).unwrap());
    let those = |is: fn(u64) -> bool| metadata.iter().filter(move |(number, ..)| is(*number));
    let mut changed: Vec<u8> = those(|number| number < 2)
        .flat_map(|(_, bytes, _)| *bytes)
        .copied()
        .collect();
    if let Some(token) = token {
        changed.extend(field_of(2, token.as_bytes()));
    }
    changed.extend(those(|number| number > 2).flat_map(|(_, bytes, _)| *bytes));
    with_field(request, 2, &[&changed])
}

/// The same bulk with only some of its items.
pub fn with_items(request: &Request<Bytes>, nth: &[usize]) -> Request<Bytes> {
    if !is_grpc(request.uri().path()) {
        let mut message = json_of(request.body());
        let items = message["items"].take();
        message["items"] = nth.iter().map(|&nth| items[nth].clone()).collect();
        return with_body(request, message.to_string().into());
    }
    let items = all(messages(request.body())[0], 3);
    let items: Vec<_> = nth.iter().map(|&nth| items[nth]).collect();
    with_field(request, 3, &items)
}

/// The contents of all fields of this number.
fn all(message: &[u8], number: u64) -> Vec<&[u8]> {
    let those = fields(message).into_iter().filter(|(found, ..)| *found == number);
    those.map(|(.., content)| content.unwrap()).collect()
}

/// The same gRPC request with other contents of the fields of one number.
pub fn with_field(request: &Request<Bytes>, number: u64, contents: &[&[u8]]) -> Request<Bytes> {
    let fields = fields(messages(request.body())[0]);
    let those = |is: fn(&u64, &u64) -> bool| fields.iter().filter(move |(found, ..)| is(found, &number));
    let mut message: Vec<u8> = those(u64::lt).flat_map(|(_, bytes, _)| *bytes).copied().collect();
    message.extend(contents.iter().flat_map(|content| field_of(number, content)));
    message.extend(those(u64::gt).flat_map(|(_, bytes, _)| *bytes));
    with_body(request, frame(&message))
}

pub fn with_body(request: &Request<Bytes>, body: Bytes) -> Request<Bytes> {
    request.clone().map(|_| body)
}

/// What a check asks, without its token: one question, or each item of a bulk.
pub fn questions(request: &Request<Bytes>) -> Vec<Vec<u8>> {
    let timeless = with_token(request, None);
    let is_whole = !is_bulk(request);
    if is_grpc(request.uri().path()) {
        // One client wrote them all, so equal messages are spelled alike.
        let message = messages(timeless.body())[0].to_vec();
        if is_whole {
            return vec![message];
        }
        let rest = messages(with_items(&timeless, &[]).body())[0].to_vec();
        let with = |item: &[u8]| [&rest, item].concat();
        return all(&message, 3).into_iter().map(with).collect();
    }
    let mut message = json_of(timeless.body());
    if is_whole {
        return vec![message.to_string().into_bytes()];
    }
    let items = message["items"].take();
    let with = |item: &Value| format!("{message}{item}").into_bytes();
    items.as_array().unwrap().iter().map(with).collect()
}

/// For each item of a reply to a bulk whether it is allowed.
pub fn allowed_items(call: &Call) -> Vec<bool> {
    let body = call.response.body();
    if is_grpc(call.request.uri().path()) {
        return all(messages(&body)[0], 1).into_iter().map(says_allowed).collect();
    }
    let message = json_of(&body);
    let results = message["results"].as_array().unwrap();
    results
        .iter()
        .map(|result| result["can"] == "CHECK_RESULT_ALLOWED")
        .collect()
}

/// The reply to a bulk with only some of its items.
pub fn with_results(call: &Call, nth: &[usize]) -> Bytes {
    let body = call.response.body();
    if is_grpc(call.request.uri().path()) {
        let results = all(messages(&body)[0], 1);
        let results = nth.iter().flat_map(|&nth| field_of(1, results[nth]));
        return frame(&results.collect::<Vec<_>>());
    }
    // As the gateway writes it, members in their order.
    let text = std::str::from_utf8(&body).unwrap();
    let results = text
        .strip_prefix(r#"{"results":["#)
        .unwrap()
        .strip_suffix("]}")
        .unwrap();
    let results: Vec<_> = results
        .split_inclusive("}}")
        .map(|one| one.trim_start_matches(','))
        .collect();
    let chosen: Vec<_> = nth.iter().map(|&nth| results[nth]).collect();
    format!(r#"{{"results":[{}]}}"#, chosen.join(",")).into()
}

/// Whether a `PermissionCheckResponse` allows.
fn says_allowed(response: &[u8]) -> bool {
    let fields = fields(response);
    fields.iter().any(|(number, bytes, _)| *number == 1 && bytes[1] == 1)
}

/// Whether the reply to a gRPC check allows.
pub fn is_allowed(body: &[u8]) -> bool {
    says_allowed(messages(body)[0])
}
