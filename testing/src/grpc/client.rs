use std::convert::Infallible;
use std::fmt::Debug;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use prost::Message;
use tower::util::BoxCloneSyncService;
use tower::{Layer, Service, ServiceExt};
use tower_zookie::token::Signing;
use tower_zookie::{Handle, ZookieLayer, ZookieLayerBuilder};

use crate::frame::{framed, unframed};
use crate::grpc::{Body, OK};
use crate::sample::Sample;

/// A small server of a test.
pub trait Server:
    Service<Request<Body>, Response = Response<Body>, Error: Debug + Send, Future: Send> + Clone + Send + Sync + 'static
{
}

impl<S> Server for S where
    S: Service<Request<Body>, Response = Response<Body>, Error: Debug + Send, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// Calls a server through a layer, or around it.
#[derive(Clone)]
pub struct Client<S: Sample> {
    handle: Option<Handle<S::Protocol>>,
    service: BoxCloneSyncService<Request<Body>, Reply, Infallible>,
    metadata: HeaderMap,
}

/// A reply, whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    pub headers: HeaderMap,
    pub body: Bytes,
    pub trailers: Option<HeaderMap>,
}

impl<S: Sample> Client<S> {
    /// Through a layer with all defaults.
    pub fn new(server: &impl Server, engine: S) -> Self {
        Self::with(server, engine.protocol(), |builder| builder)
    }

    pub fn with(
        server: &impl Server,
        protocol: S::Protocol,
        set: impl FnOnce(ZookieLayerBuilder<S::Protocol>) -> ZookieLayerBuilder<S::Protocol>,
    ) -> Self {
        let layer = set(ZookieLayer::builder(protocol)).build().unwrap();
        Self {
            handle: Some(layer.handle()),
            ..Self::of(layer.layer(server.clone()))
        }
    }

    /// Around every layer.
    pub fn direct(server: &impl Server) -> Self {
        Self::of(server.clone())
    }

    fn of<B>(
        service: impl Service<Request<Body>, Response = Response<B>, Error: Debug, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
    ) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
    {
        let credentials = S::CREDENTIALS.into_iter();
        let credentials = credentials.map(|key| (AUTHORIZATION, HeaderValue::from_static(key)));
        let service = service.map_err(|error| -> Infallible { panic!("{error:?}") });
        Self {
            handle: None,
            service: BoxCloneSyncService::new(service.and_then(async |response| Ok(Reply::collect(response).await))),
            metadata: credentials.collect(),
        }
    }

    pub fn handle(&self) -> &Handle<S::Protocol> {
        self.handle.as_ref().expect("no layer")
    }

    pub fn has_layer(&self) -> bool {
        self.handle.is_some()
    }

    /// The same client, which sends this with every call.
    #[must_use]
    pub fn metadata(&self, name: &'static str, value: &str) -> Self {
        let mut client = self.clone();
        let (name, value) = (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        client.metadata.insert(name, value);
        client
    }

    /// The same client, with a token in its cookie.
    #[must_use]
    pub fn cookie(&self, token: &str) -> Self {
        let value = token.replace('=', "%3D").replace('+', "%2B").replace('/', "%2F");
        self.metadata("cookie", &format!("zookie={value}"))
    }

    pub async fn call(&self, method: &str, request: &impl Message) -> Reply {
        self.send(method, framed(request)).await
    }

    pub async fn send(&self, method: &str, body: Bytes) -> Reply {
        self.send_body(method, Full::from(body).boxed_unsync()).await
    }

    pub async fn send_body(&self, method: &str, body: Body) -> Reply {
        let mut request = Request::post(format!("http://127.0.0.1/{}.{method}", S::PACKAGE))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("grpc-accept-encoding", "identity, deflate, gzip")
            .body(body)
            .unwrap();
        request.headers_mut().extend(self.metadata.clone());
        self.send_request(request).await
    }

    /// Sends it unmodified.
    pub async fn send_request(&self, request: Request<Body>) -> Reply {
        self.service.clone().oneshot(request).await.unwrap()
    }
}

impl Reply {
    async fn collect<B>(response: Response<B>) -> Self
    where
        B: http_body::Body<Data = Bytes>,
    {
        let (parts, body) = response.into_parts();
        assert_eq!(parts.status, 200);
        let hint = body.size_hint().exact();
        let collected = body.collect().await.unwrap_or_else(|_| panic!("the body broke off"));
        let trailers = collected.trailers().cloned();
        let body = collected.to_bytes();
        assert!(hint.is_none_or(|hint| hint == body.len() as u64));
        Self {
            headers: parts.headers,
            body,
            trailers,
        }
    }

    /// The token in the metadata, without a signature.
    pub fn carried(&self) -> Option<&str> {
        let text = self.header("zookie")?;
        match Signing::is_signed(text) {
            true => text.splitn(5, '.').last(),
            false => Some(text),
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The token of the cookie that it sets.
    pub fn cookie(&self) -> Option<String> {
        let value = self.header("set-cookie")?.strip_prefix("zookie=")?.split(';').next()?;
        let unescaped = [("%3D", "="), ("%2B", "+"), ("%2F", "/"), ("%2C", ",")];
        let unescaped = unescaped.iter().fold(value.to_owned(), |value, (escape, letter)| {
            value.replace(escape, letter)
        });
        Some(unescaped)
    }

    pub fn status(&self) -> i32 {
        let trailers = self.trailers.as_ref().and_then(|trailers| trailers.get("grpc-status"));
        let status = trailers.or(self.headers.get("grpc-status")).expect("no status");
        status.to_str().unwrap().parse().unwrap()
    }

    pub fn message<M: Message + Default>(&self) -> M {
        assert_eq!(self.status(), OK, "{self:?}");
        unframed(&self.body)
    }

    pub fn cache_status(&self) -> &str {
        self.header("cache-status").expect("no cache-status")
    }

    pub fn is_hit(&self) -> bool {
        self.cache_status() == "tower-zookie; hit"
    }

    /// Whether it is from memory, also if the reply does not say so.
    pub fn is_from_cache(&self) -> bool {
        self.header("cache-status") == Some("tower-zookie; hit")
    }

    pub fn is_stored(&self) -> bool {
        self.cache_status().contains("; stored")
    }
}
