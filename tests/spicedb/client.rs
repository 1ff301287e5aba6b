//! Speaks gRPC through the layer, at the level of headers, frames and trailers.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use prost::Message;
use tower::{Layer, Service, ServiceExt};
use tower_zookie::protocol::spicedb::{Engine, SpiceDb};
use tower_zookie::{ZookieLayer, ZookieLayerBuilder, ZookieService};

use crate::api::{
    BulkRequest, BulkResponse, CheckRequest, CheckResponse, Relationship, TokenResponse, Update, WriteRequest,
    document, user,
};
use crate::reply::frame;
use crate::server::{Body, OK, Server};

#[derive(Clone)]
pub(crate) struct Client<S = Server> {
    pub(crate) layer: ZookieLayer<SpiceDb>,
    service: ZookieService<S, SpiceDb>,
    metadata: HeaderMap,
}

/// A reply, whole.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reply {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) trailers: Option<HeaderMap>,
}

impl Client {
    pub(crate) fn new(server: &Server, engine: Engine) -> Self {
        Self::of(server.clone(), ZookieLayer::spicedb(engine))
    }

    pub(crate) fn with(
        server: &Server,
        engine: Engine,
        set: impl FnOnce(ZookieLayerBuilder<SpiceDb>) -> ZookieLayerBuilder<SpiceDb>,
    ) -> Self {
        let layer = set(ZookieLayer::builder(SpiceDb::new(engine))).build().unwrap();
        Self::of(server.clone(), layer)
    }
}

impl<S> Client<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error: Send + std::fmt::Debug, Future: Send>,
    S: Clone + Send + 'static,
{
    pub(crate) fn of(server: S, layer: ZookieLayer<SpiceDb>) -> Self {
        let mut metadata = HeaderMap::new();
        metadata.insert("authorization", HeaderValue::from_static("Bearer example-key"));
        Self {
            service: layer.layer(server),
            layer,
            metadata,
        }
    }

    /// The same client, which sends this with every call.
    pub(crate) fn metadata(&self, name: &'static str, value: &str) -> Self {
        let mut client = self.clone();
        client
            .metadata
            .insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        client
    }

    pub(crate) async fn check(&self, request: &CheckRequest) -> Reply {
        self.call("PermissionsService/CheckPermission", request).await
    }

    pub(crate) async fn bulk(&self, request: &BulkRequest) -> Reply {
        self.call("PermissionsService/CheckBulkPermissions", request).await
    }

    /// Makes a user a viewer, or not. The token.
    pub(crate) async fn set(&self, document_id: &str, user_id: &str, views: bool) -> String {
        let update = Update {
            operation: if views { 2 } else { 3 },
            relationship: Some(Relationship {
                resource: document(document_id),
                relation: "viewer".to_owned(),
                subject: user(user_id),
            }),
        };
        let request = WriteRequest { updates: vec![update] };
        let reply = self.call("PermissionsService/WriteRelationships", &request).await;
        let written: TokenResponse = reply.message();
        assert_eq!(
            reply.header("cache-status"),
            Some("tower-zookie; fwd=method; detail=\"a write\"")
        );
        let token = written.token.unwrap().token;
        assert_eq!(reply.header("zookie"), Some(&*token));
        token
    }

    pub(crate) async fn call(&self, method: &str, request: &impl Message) -> Reply {
        self.send(method, frame(&request.encode_to_vec())).await
    }

    pub(crate) async fn send(&self, method: &str, body: Bytes) -> Reply {
        let request = request(method, body, &self.metadata);
        Reply::collect(self.service.clone().oneshot(request).await.unwrap()).await
    }
}

/// A gRPC request as a client writes it.
pub(crate) fn request(method: &str, body: Bytes, metadata: &HeaderMap) -> Request<Body> {
    let mut request = Request::post(format!("http://127.0.0.1/authzed.api.v1.{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-accept-encoding", "identity, deflate, gzip")
        .body(Full::from(body).boxed_unsync())
        .unwrap();
    request.headers_mut().extend(metadata.clone());
    request
}

impl Reply {
    pub(crate) async fn collect<B>(response: Response<B>) -> Self
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

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn status(&self) -> i32 {
        let trailers = self.trailers.as_ref().and_then(|trailers| trailers.get("grpc-status"));
        let status = trailers.or(self.headers.get("grpc-status")).expect("no status");
        status.to_str().unwrap().parse().unwrap()
    }

    pub(crate) fn message<M: Message + Default>(&self) -> M {
        assert_eq!(self.status(), OK, "{self:?}");
        M::decode(&self.body[5..]).unwrap()
    }

    pub(crate) fn checked(&self) -> CheckResponse {
        self.message()
    }

    pub(crate) fn has(&self) -> bool {
        self.checked().permissionship == 2
    }

    pub(crate) fn bulk(&self) -> BulkResponse {
        self.message()
    }

    pub(crate) fn at(&self) -> String {
        let token = self.checked().checked_at.unwrap().token;
        assert_eq!(self.header("zookie"), Some(&*token));
        token
    }

    pub(crate) fn is_hit(&self) -> bool {
        self.cache_status() == "tower-zookie; hit"
    }

    /// Whether it is from memory, also if the reply does not say so.
    pub(crate) fn is_from_cache(&self) -> bool {
        self.header("cache-status") == Some("tower-zookie; hit")
    }

    pub(crate) fn cache_status(&self) -> &str {
        self.header("cache-status").expect("no cache-status")
    }
}
