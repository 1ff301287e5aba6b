use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tokio::sync::watch;
use tower::Service;
use tower_zookie::Asked;
use tower_zookie::cache::Capabilities;
use tower_zookie::consistency::Consistency;
use tower_zookie::token::RevisionToken;

pub const NODE: &str = "n1";

/// The token of a revision of the upstream's store.
pub fn z(revision: u64) -> String {
    RevisionToken::new(NODE, revision).encode()
}

/// The revision that a token names.
pub fn zookie_of(text: &str) -> u64 {
    RevisionToken::decode(text).unwrap().revision
}

pub fn capabilities() -> Capabilities {
    Capabilities::versioned()
}

/// What the upstream received.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub trailers: Option<HeaderMap>,
    pub asked: Option<Asked>,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// What the upstream does to the next calls instead of answering.
#[derive(Clone, Debug)]
pub enum Trouble {
    Panic,
    Error,
    Status(StatusCode),
    /// A 401 for every request whose `authorization` is not this.
    Unauthorized(&'static str),
}

/// A service with a history of sets: a resource is allowed at a revision if the set of that revision contains it.
///
/// Reads that name no revision are answered at the head, or at the revision that it is pinned to.
#[derive(Clone)]
pub struct Upstream(Arc<Mutex<State>>, watch::Sender<bool>);

struct State {
    history: BTreeMap<u64, BTreeSet<String>>,
    node: String,
    pinned: Option<u64>,
    seen: Vec<Seen>,
    extra: HeaderMap,
    trouble: Option<Trouble>,
    sends_zookie: bool,
    disobeys: bool,
    padding: usize,
}

impl Default for Upstream {
    fn default() -> Self {
        Self::new()
    }
}

impl Upstream {
    /// At revision 1, where nothing is allowed.
    pub fn new() -> Self {
        let state = State {
            history: BTreeMap::from([(1, BTreeSet::new())]),
            node: NODE.to_owned(),
            pinned: None,
            seen: Vec::new(),
            extra: HeaderMap::new(),
            trouble: None,
            sends_zookie: true,
            disobeys: false,
            padding: 0,
        };
        Self(Arc::new(Mutex::new(state)), watch::Sender::new(false))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Allows a resource from the next revision on.
    pub fn grant(&self, resource: &str) -> u64 {
        self.state().change(|allowed| allowed.insert(resource.to_owned()))
    }

    /// Denies the resource from the next revision on.
    pub fn revoke(&self, resource: &str) -> u64 {
        self.state().change(|allowed| allowed.remove(resource))
    }

    pub fn head(&self) -> u64 {
        self.state().head()
    }

    /// What it would reply to a whole bulk at a revision.
    pub fn bulk_at(&self, body: &Value, revision: u64) -> Value {
        evaluate_all(body, &self.state().history[&revision])
    }

    /// Forgets the revisions before this one.
    pub fn collect(&self, oldest: u64) {
        self.state().history.retain(|revision, _| *revision >= oldest);
    }

    pub fn pin(&self, revision: Option<u64>) {
        self.state().pinned = revision;
    }

    /// From now on it answers as another store.
    pub fn become_store(&self, node: &str) {
        self.state().node = node.to_owned();
    }

    pub fn send_zookies(&self, sends: bool) {
        self.state().sends_zookie = sends;
    }

    /// From now on it answers exact reads at head.
    pub fn disobey(&self) {
        self.state().disobeys = true;
    }

    pub fn extra_header(&self, name: &'static str, value: &str) {
        let name = HeaderName::from_static(name);
        self.state().extra.insert(name, HeaderValue::from_str(value).unwrap());
    }

    pub fn pad(&self, bytes: usize) {
        self.state().padding = bytes;
    }

    pub fn trouble(&self, trouble: impl Into<Option<Trouble>>) {
        self.state().trouble = trouble.into();
    }

    /// Holds all calls until [`release`](Self::release).
    pub fn hold(&self) {
        self.1.send_replace(true);
    }

    pub fn release(&self) {
        self.1.send_replace(false);
    }

    pub fn calls(&self) -> usize {
        self.state().seen.len()
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.state().seen.clone()
    }

    pub fn last(&self) -> Seen {
        self.state().seen.last().cloned().expect("the upstream was not asked")
    }

    async fn answer(self, seen: Seen) -> Result<Response<Full<Bytes>>, io::Error> {
        self.state().seen.push(seen.clone());
        let _ = self.1.subscribe().wait_for(|held| !held).await;
        let trouble = self.state().trouble.clone();
        let status = match trouble {
            Some(Trouble::Panic) => panic!("the upstream panics on purpose"),
            Some(Trouble::Error) => return Err(io::Error::other("the upstream fails on purpose")),
            Some(Trouble::Status(status)) => Some(status),
            Some(Trouble::Unauthorized(known)) => {
                (seen.header("authorization") != Some(known)).then_some(StatusCode::UNAUTHORIZED)
            }
            None => None,
        };
        if let Some(status) = status {
            let mut response = Response::new(Full::from("no"));
            *response.status_mut() = status;
            return Ok(response);
        }
        Ok(self.state().reply(&seen))
    }
}

impl State {
    fn head(&self) -> u64 {
        *self.history.last_key_value().unwrap().0
    }

    fn change(&mut self, change: impl FnOnce(&mut BTreeSet<String>) -> bool) -> u64 {
        let (head, allowed) = self.history.last_key_value().unwrap();
        let (next, mut allowed) = (head + 1, allowed.clone());
        change(&mut allowed);
        self.history.insert(next, allowed);
        next
    }

    fn reply(&mut self, seen: &Seen) -> Response<Full<Bytes>> {
        let body: Value = serde_json::from_slice(&seen.body).unwrap_or(Value::Null);
        match (seen.method.as_str(), seen.uri.path()) {
            ("POST", "/relationships") => {
                if let Some(resource) = body["grant"].as_str() {
                    self.change(|allowed| allowed.insert(resource.to_owned()));
                } else if let Some(resource) = body["revoke"].as_str() {
                    self.change(|allowed| allowed.remove(resource));
                } else {
                    return self.response(400, &json!({ "error": "say what to grant or revoke" }), None);
                }
                let zookie = RevisionToken::new(&*self.node, self.head()).encode();
                self.response(200, &json!({ "zookie": zookie }), None)
            }
            ("PUT", "/schema") => {
                self.change(|_| true);
                self.response(200, &json!({}), Some(self.head()))
            }
            ("GET", "/check") => {
                let query = seen.uri.query().unwrap_or_default();
                let resource = query.split('&').find_map(|pair| pair.strip_prefix("resource="));
                let resource = resource.unwrap_or_default().to_owned();
                self.at(
                    seen,
                    |allowed, revision| json!({ "allowed": allowed.contains(&resource), "revision": revision }),
                )
            }
            ("POST", "/allow") => {
                let resource = body["resource"].as_str().unwrap_or_default().to_owned();
                self.at(seen, |allowed, _| json!({ "allowed": allowed.contains(&resource) }))
            }
            ("POST", "/access/v1/evaluation") => self.at(seen, |allowed, _| evaluate(&body, &body, allowed)),
            ("POST", "/access/v1/evaluations") => self.at(seen, |allowed, _| evaluate_all(&body, allowed)),
            _ => self.response(404, &json!({}), None),
        }
    }

    fn at(&self, seen: &Seen, reply: impl FnOnce(&BTreeSet<String>, u64) -> Value) -> Response<Full<Bytes>> {
        let token = seen.header("zookie").map(|text| RevisionToken::decode(text).unwrap());
        if token.as_ref().is_some_and(|token| token.node_id != self.node) {
            return self.response(400, &json!({ "error": "another store's token" }), None);
        }
        let token = token.map(|token| token.revision);
        let consistency = seen
            .header("zookie-consistency")
            .map(|consistency| consistency.parse().unwrap());
        let revision = match (consistency.unwrap_or(Consistency::MinimizeLatency), token) {
            (Consistency::AtExactSnapshot, Some(asked)) if !self.disobeys => asked,
            (Consistency::FullyConsistent, _) => self.head(),
            (_, Some(asked)) if asked > self.head() => {
                return self.response(409, &json!({ "error": "not reached" }), None);
            }
            (_, Some(_)) => self.head(),
            (_, None) => self.pinned.unwrap_or(self.head()),
        };
        match self.history.get(&revision) {
            Some(allowed) => self.response(200, &reply(allowed, revision), Some(revision)),
            None => self.response(410, &json!({ "error": "expired" }), None),
        }
    }

    fn response(&self, status: u16, body: &Value, at: Option<u64>) -> Response<Full<Bytes>> {
        let mut text = body.to_string();
        text.extend(std::iter::repeat_n(' ', self.padding));
        let mut response = Response::builder()
            .status(status)
            .header("content-type", "application/json")
            .header("date", "Thu, 01 Jan 1970 00:00:00 GMT")
            .header("server", "scripted")
            .body(Full::from(text))
            .unwrap();
        let headers = response.headers_mut();
        headers.extend(self.extra.clone());
        if let Some(revision) = at.filter(|_| self.sends_zookie) {
            let zookie = RevisionToken::new(&*self.node, revision).encode();
            headers.insert("zookie", zookie.parse().unwrap());
        }
        response
    }
}

fn evaluate(evaluation: &Value, defaults: &Value, allowed: &BTreeSet<String>) -> Value {
    let resource = evaluation.get("resource").unwrap_or(&defaults["resource"]);
    let id = resource["id"].as_str().unwrap_or_default();
    if id.starts_with("bad") {
        return json!({ "decision": false, "context": { "error": { "status": 404, "message": "no such resource" } } });
    }
    json!({ "decision": allowed.contains(id) })
}

/// What the upstream replies to a bulk, according to the specification.
pub fn evaluate_all(body: &Value, allowed: &BTreeSet<String>) -> Value {
    let semantic = body["options"]["evaluations_semantic"]
        .as_str()
        .unwrap_or("execute_all");
    let mut replies = Vec::new();
    for evaluation in body["evaluations"].as_array().into_iter().flatten() {
        let reply = evaluate(evaluation, body, allowed);
        let decision = reply["decision"] == true;
        replies.push(reply);
        if (semantic == "deny_on_first_deny" && !decision) || (semantic == "permit_on_first_permit" && decision) {
            break;
        }
    }
    json!({ "evaluations": replies })
}

impl<B> Service<Request<B>> for Upstream
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Send,
{
    type Response = Response<Full<Bytes>>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, io::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let upstream = self.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let (body, trailers) = match body.collect().await {
                Ok(collected) => {
                    let trailers = collected.trailers().cloned();
                    (collected.to_bytes(), trailers)
                }
                Err(_) => (Bytes::from_static(b"broken off"), None),
            };
            let seen = Seen {
                method: parts.method,
                uri: parts.uri,
                headers: parts.headers,
                body,
                trailers,
                asked: parts.extensions.get().cloned(),
            };
            upstream.answer(seen).await
        })
    }
}
