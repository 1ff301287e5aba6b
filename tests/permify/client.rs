//! Speaks gRPC through the layer, or around it, at the level of headers, frames and trailers.

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use prost::Message;
use tokio::task::JoinHandle;
use tower::util::BoxCloneSyncService;
use tower::{Layer, ServiceExt};
use tower_zookie::protocol::permify::{Engine, Permify};
use tower_zookie::{Handle, ZookieLayer, ZookieLayerBuilder};

use crate::api::{
    BulkRequest, BulkResponse, CheckRequest, CheckResponse, DeleteRequest, OfTenant, WriteRequest, Wrote, viewer,
};
use crate::reply::frame;
use crate::server::{Body, HOLD, OK, Server};

#[derive(Clone)]
pub(crate) struct Client {
    handle: Option<Handle<Permify>>,
    service: BoxCloneSyncService<Request<Body>, Response<Reply>, Infallible>,
    metadata: HeaderMap,
}

/// A reply, whole.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reply {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) trailers: Option<HeaderMap>,
}

async fn read<B>(response: Response<B>) -> Result<Response<Reply>, Infallible>
where
    B: http_body::Body<Data = Bytes>,
{
    let (parts, body) = response.into_parts();
    let collected = body.collect().await.unwrap_or_else(|_| panic!("the body broke off"));
    let trailers = collected.trailers().cloned();
    let reply = Reply {
        headers: parts.headers.clone(),
        body: collected.to_bytes(),
        trailers,
    };
    Ok(Response::from_parts(parts, reply))
}

impl Client {
    /// Through a layer with all defaults.
    pub(crate) fn new(server: &Server, engine: Engine) -> Self {
        Self::through(server, &ZookieLayer::permify(engine))
    }

    pub(crate) fn with(
        server: &Server,
        api: Permify,
        set: impl FnOnce(ZookieLayerBuilder<Permify>) -> ZookieLayerBuilder<Permify>,
    ) -> Self {
        Self::through(server, &set(ZookieLayer::builder(api)).build().unwrap())
    }

    fn through(server: &Server, layer: &ZookieLayer<Permify>) -> Self {
        let service = layer.layer(server.clone()).and_then(read);
        Self {
            handle: Some(layer.handle()),
            service: BoxCloneSyncService::new(service),
            metadata: HeaderMap::new(),
        }
    }

    /// Around every layer.
    pub(crate) fn direct(server: &Server) -> Self {
        Self {
            handle: None,
            service: BoxCloneSyncService::new(server.clone().and_then(read)),
            metadata: HeaderMap::new(),
        }
    }

    pub(crate) fn handle(&self) -> &Handle<Permify> {
        self.handle.as_ref().expect("no layer")
    }

    pub(crate) fn watch(&self, server: &Server, tenant: &'static str) -> JoinHandle<()> {
        let (handle, server) = (self.handle().clone(), server.clone());
        tokio::spawn(async move {
            let _ = handle.watch(server, tenant).await;
        })
    }

    /// The same client, which sends this with every call.
    pub(crate) fn metadata(&self, name: &'static str, value: &str) -> Self {
        let mut client = self.clone();
        client
            .metadata
            .insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        client
    }

    /// The same client, with a token in its cookie.
    pub(crate) fn cookie(&self, token: &str) -> Self {
        let value = token.replace('=', "%3D").replace('+', "%2B").replace('/', "%2F");
        self.metadata("cookie", &format!("zookie={value}"))
    }

    /// The same client, whose writes are held open.
    pub(crate) fn holding(&self) -> Self {
        self.metadata(HOLD, "1")
    }

    pub(crate) async fn check(&self, request: &CheckRequest) -> Reply {
        self.call("Permission/Check", request).await
    }

    pub(crate) async fn bulk(&self, request: &BulkRequest) -> Reply {
        self.call("Permission/BulkCheck", request).await
    }

    /// Makes a user a viewer of a document of `t1`, or not. The token.
    pub(crate) async fn set(&self, document: &str, user: &str, views: bool) -> String {
        self.set_in("t1", document, user, views).await
    }

    pub(crate) async fn set_in(&self, tenant: &str, document: &str, user: &str, views: bool) -> String {
        let (tenant, tuple) = (tenant.to_owned(), viewer(document, user));
        let reply = if views {
            let (metadata, tuples) = (None, vec![tuple]);
            let request = WriteRequest {
                tenant,
                metadata,
                tuples,
            };
            self.call("Data/Write", &request).await
        } else {
            let tuple_filter = Some(tuple);
            self.call("Data/Delete", &DeleteRequest { tenant, tuple_filter }).await
        };
        let token = reply.message::<Wrote>().snap_token;
        if self.handle.is_some() {
            assert_eq!(reply.header("zookie"), Some(&*token));
        }
        token
    }

    /// A write that may be rejected.
    pub(crate) async fn try_set(&self, tenant: &str, document: &str, user: &str) -> Reply {
        let request = WriteRequest {
            tenant: tenant.to_owned(),
            metadata: None,
            tuples: vec![viewer(document, user)],
        };
        self.call("Data/Write", &request).await
    }

    pub(crate) async fn try_write_schema(&self, tenant: &str) -> Reply {
        let request = OfTenant {
            tenant: tenant.to_owned(),
            text: "entity user {}".to_owned(),
        };
        self.call("Schema/Write", &request).await
    }

    /// Writes a schema. Its version.
    pub(crate) async fn write_schema(&self, tenant: &str) -> String {
        self.try_write_schema(tenant).await.message::<Wrote>().snap_token
    }

    pub(crate) async fn call(&self, method: &str, request: &impl Message) -> Reply {
        self.send(method, frame(&request.encode_to_vec())).await
    }

    pub(crate) async fn send(&self, method: &str, body: Bytes) -> Reply {
        self.send_body(method, Full::from(body).boxed_unsync()).await
    }

    pub(crate) async fn send_body(&self, method: &str, body: Body) -> Reply {
        let mut request = Request::post(format!("http://127.0.0.1/base.v1.{method}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(body)
            .unwrap();
        request.headers_mut().extend(self.metadata.clone());
        let response = self.service.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        response.into_body()
    }
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The token of the cookie that it sets.
    pub(crate) fn cookie(&self) -> Option<String> {
        let value = self.header("set-cookie")?.strip_prefix("zookie=")?.split(';').next()?;
        let unescaped = [("%3D", "="), ("%2B", "+"), ("%2F", "/"), ("%2C", ",")];
        let unescaped = unescaped.iter().fold(value.to_owned(), |value, (escape, letter)| {
            value.replace(escape, letter)
        });
        Some(unescaped)
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

    pub(crate) fn allowed(&self) -> bool {
        self.message::<CheckResponse>().can == 1
    }

    /// The decisions of a bulk.
    pub(crate) fn decisions(&self) -> Vec<bool> {
        let results = self.message::<BulkResponse>().results;
        results.iter().map(|result| result.can == 1).collect()
    }

    pub(crate) fn is_hit(&self) -> bool {
        self.cache_status() == "tower-zookie; hit"
    }

    pub(crate) fn is_stored(&self) -> bool {
        self.cache_status().contains("; stored")
    }

    pub(crate) fn cache_status(&self) -> &str {
        self.header("cache-status").expect("no cache-status")
    }
}
