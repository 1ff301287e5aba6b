use std::convert::Infallible;
use std::io;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use tokio::task::JoinHandle;
use tower::{Layer, ServiceExt};
use tower_zookie::protocol::Protocol;
use tower_zookie::{ZookieLayer, ZookieLayerBuilder, ZookieService};

use crate::scripted::upstream::{Upstream, zookie_of};
use crate::scripted::{Both, both, z};

pub type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Sends requests through a layer to the scripted upstream.
#[derive(Clone)]
pub struct Client<P = Both> {
    pub layer: ZookieLayer<P>,
    pub service: ZookieService<Upstream, P>,
}

impl Client {
    /// Both APIs, with the default settings.
    pub fn new(upstream: &Upstream) -> Self {
        Self::with(upstream, |builder| builder)
    }

    pub fn with(upstream: &Upstream, set: impl FnOnce(ZookieLayerBuilder<Both>) -> ZookieLayerBuilder<Both>) -> Self {
        Self::of(upstream, set(ZookieLayer::builder(both())))
    }
}

impl<P: Protocol> Client<P> {
    pub fn of(upstream: &Upstream, builder: ZookieLayerBuilder<P>) -> Self {
        let layer = builder.build().unwrap();
        let service = layer.layer(upstream.clone());
        Self { layer, service }
    }

    /// `GET /check?resource=…`.
    pub fn check(&self, resource: &str) -> Sent<P> {
        self.get(&format!("/check?resource={resource}"))
    }

    pub fn get(&self, uri: &str) -> Sent<P> {
        self.request("GET", uri, "")
    }

    pub fn post(&self, uri: &str, body: &Value) -> Sent<P> {
        self.request("POST", uri, &body.to_string())
            .header("content-type", "application/json")
    }

    pub fn request(&self, method: &str, uri: &str, body: &str) -> Sent<P> {
        let body = Full::from(body.to_owned()).boxed_unsync();
        let request = Request::builder().method(method).uri(uri).body(body).unwrap();
        self.sent(request)
    }

    pub fn sent(&self, request: Request<Body>) -> Sent<P> {
        Sent {
            service: self.service.clone(),
            request,
        }
    }

    /// `POST /access/v1/evaluations` of these resources.
    pub fn bulk(&self, resources: &[&str], semantic: Option<&str>) -> Sent<P> {
        self.post("/access/v1/evaluations", &bulk_body(resources, semantic))
    }
}

pub fn bulk_body(resources: &[&str], semantic: Option<&str>) -> Value {
    let evaluations: Vec<_> = resources
        .iter()
        .map(|id| serde_json::json!({ "resource": { "type": "doc", "id": id } }))
        .collect();
    let mut body = serde_json::json!({
        "subject": { "type": "user", "id": "ada" },
        "action": { "name": "read" },
        "evaluations": evaluations,
    });
    if let Some(semantic) = semantic {
        body["options"] = serde_json::json!({ "evaluations_semantic": semantic });
    }
    body
}

/// A request to be sent.
pub struct Sent<P> {
    service: ZookieService<Upstream, P>,
    request: Request<Body>,
}

impl<P: Protocol> Sent<P> {
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.request.headers_mut().append(name, value.parse().unwrap());
        self
    }

    pub fn zookie(self, revision: u64) -> Self {
        self.header("zookie", &z(revision))
    }

    pub fn cookie(self, revision: u64) -> Self {
        let value = format!("zookie={}", z(revision));
        self.header("cookie", &value)
    }

    pub fn consistency(self, consistency: &str) -> Self {
        self.header("zookie-consistency", consistency)
    }

    pub fn extension<T: Clone + Send + Sync + 'static>(mut self, extension: T) -> Self {
        self.request.extensions_mut().insert(extension);
        self
    }

    pub async fn try_send(self) -> Result<Reply, io::Error> {
        let response = self.service.oneshot(self.request).await?;
        let (parts, body) = response.into_parts();
        let collected = body.collect().await.unwrap();
        let trailers = collected.trailers().cloned();
        Ok(Reply {
            status: parts.status,
            headers: parts.headers,
            body: collected.to_bytes(),
            trailers,
        })
    }

    pub async fn send(self) -> Reply {
        self.try_send().await.unwrap()
    }

    pub fn spawn(self) -> JoinHandle<Result<Reply, io::Error>> {
        tokio::spawn(self.try_send())
    }
}

#[derive(Clone, Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub trailers: Option<HeaderMap>,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The layer's own `Cache-Status`.
    pub fn cache_status(&self) -> &str {
        self.header("cache-status").unwrap_or("none")
    }

    /// `Cache-Status` up to its detail.
    pub fn outcome(&self) -> &str {
        let status = self.cache_status().trim_start_matches("tower-zookie; ");
        status.split("; detail").next().unwrap()
    }

    pub fn is_hit(&self) -> bool {
        self.outcome() == "hit"
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub fn allowed(&self) -> bool {
        self.json()["allowed"]
            .as_bool()
            .unwrap_or_else(|| panic!("no decision: {self:?}"))
    }

    /// The revision of the reply's header token.
    pub fn revision(&self) -> u64 {
        zookie_of(self.header("zookie").unwrap_or_else(|| panic!("no zookie: {self:?}")))
    }

    /// The decisions of a bulk.
    pub fn decisions(&self) -> Vec<bool> {
        let json = self.json();
        let evaluations = json["evaluations"]
            .as_array()
            .unwrap_or_else(|| panic!("no bulk: {self:?}"));
        evaluations
            .iter()
            .map(|one| one["decision"].as_bool().unwrap())
            .collect()
    }

    pub fn set_cookie(&self) -> Option<u64> {
        let cookie = self.header("set-cookie")?;
        let value = cookie.strip_prefix("zookie=")?.split(';').next()?;
        Some(zookie_of(
            &value.replace("%3D", "=").replace("%2B", "+").replace("%2F", "/"),
        ))
    }
}
