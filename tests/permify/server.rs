//! A small Permify: it reads at exactly the token of the request, and at the write with the highest number if the
//! request has no token.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use prost::Message;
use tokio::time::sleep;
use tower::Service;
use tower_zookie::protocol::permify::Engine;
use tower_zookie_testing::grpc::{
    Body, INTERNAL, INVALID_ARGUMENT, Rejected, UNAUTHENTICATED, UNIMPLEMENTED, failed, stream, succeeded,
};
use tower_zookie_testing::permify::HOLD;
use tower_zookie_testing::permify::messages::{
    ALLOWED, DENIED, DataDeleteRequest, DataWriteRequest, DataWriteResponse, Entity, Metadata,
    PermissionBulkCheckRequest, PermissionBulkCheckRequestItem, PermissionBulkCheckResponse, PermissionCheckRequest,
    PermissionCheckResponse, PermissionCheckResponseMetadata, PermissionLookupEntityRequest,
    PermissionLookupEntityResponse, SchemaWriteRequest, SchemaWriteResponse, Subject, WatchRequest,
};

use crate::store::{Store, View, What, Write};

/// The credentials that it rejects.
pub(crate) const BAD_CREDENTIALS: &str = "Bearer mallory";

#[derive(Clone)]
pub(crate) struct Server {
    state: Arc<Mutex<State>>,
}

pub(crate) struct State {
    pub(crate) store: Store,
    /// All calls, unmodified.
    calls: Vec<Called>,
    pub(crate) latency: Duration,
}

#[derive(Clone, Debug)]
pub(crate) struct Called {
    pub(crate) method: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The snap token in its metadata.
    pub(crate) token: String,
}

/// What all requests with metadata begin with.
#[derive(prost::Message)]
struct Asked {
    #[prost(message, optional, tag = "2")]
    metadata: Option<Metadata>,
}

impl Server {
    pub(crate) fn new(engine: Engine) -> Self {
        let state = State {
            store: Store::new(engine),
            calls: Vec::new(),
            latency: Duration::ZERO,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The calls since the last time this was read.
    pub(crate) fn calls(&self) -> Vec<Called> {
        std::mem::take(&mut self.state().calls)
    }

    /// The tokens of the calls since the last time this was read.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.calls().into_iter().map(|call| call.token).collect()
    }

    async fn answer(&self, method: &str, message: &[u8], hold: bool) -> Result<Vec<u8>, Rejected> {
        match method {
            "Check" => self.check(&decoded(message)?),
            "BulkCheck" => self.bulk(&decoded(message)?),
            "LookupEntity" => self.lookup(&decoded(message)?),
            "Write" => {
                let request: DataWriteRequest = decoded(message)?;
                let tuple = request.tuples.first();
                let what = tuple.map(|tuple| what(tuple.entity.as_ref(), tuple.subject.as_ref()));
                self.write(&request.tenant_id, what, true, hold).await
            }
            "Delete" => {
                let request: DataDeleteRequest = decoded(message)?;
                let what = request.tuple_filter.map(|filter| {
                    let first = |ids: Option<Vec<String>>| ids.into_iter().flatten().next().unwrap_or_default();
                    let (entity, subject) = (filter.entity, filter.subject);
                    (first(entity.map(|one| one.ids)), first(subject.map(|one| one.ids)))
                });
                self.write(&request.tenant_id, what, false, hold).await
            }
            _ => Err((UNIMPLEMENTED, "unknown method")),
        }
    }

    fn view(&self, tenant: &str, metadata: Option<&Metadata>) -> Result<View, Rejected> {
        let metadata = metadata.ok_or((INVALID_ARGUMENT, "Metadata: value is required"))?;
        if metadata.depth < 3 {
            return Err((INVALID_ARGUMENT, "Depth: value must be greater than or equal to 3"));
        }
        let mut state = self.state();
        state.store.view(tenant, &metadata.schema_version, &metadata.snap_token)
    }

    fn check(&self, request: &PermissionCheckRequest) -> Result<Vec<u8>, Rejected> {
        let view = self.view(&request.tenant_id, request.metadata.as_ref())?;
        let what = what(request.entity.as_ref(), request.subject.as_ref());
        Ok(self.result(&request.tenant_id, &view, what).encode_to_vec())
    }

    fn bulk(&self, request: &PermissionBulkCheckRequest) -> Result<Vec<u8>, Rejected> {
        if !(1..=100).contains(&request.items.len()) {
            return Err((
                INVALID_ARGUMENT,
                "Items: value must contain between 1 and 100 items, inclusive",
            ));
        }
        let view = self.view(&request.tenant_id, request.metadata.as_ref())?;
        let result = |item: &PermissionBulkCheckRequestItem| {
            let what = what(item.entity.as_ref(), item.subject.as_ref());
            self.result(&request.tenant_id, &view, what)
        };
        let results = request.items.iter().map(result).collect();
        Ok(PermissionBulkCheckResponse { results }.encode_to_vec())
    }

    fn result(&self, tenant: &str, view: &View, what: What) -> PermissionCheckResponse {
        let (allowed, check_count) = self.state().store.evaluate(tenant, view, what);
        PermissionCheckResponse {
            can: if allowed { ALLOWED } else { DENIED },
            metadata: Some(PermissionCheckResponseMetadata { check_count }),
        }
    }

    fn lookup(&self, request: &PermissionLookupEntityRequest) -> Result<Vec<u8>, Rejected> {
        let view = self.view(&request.tenant_id, request.metadata.as_ref())?;
        let state = self.state();
        let views = |document: &String| {
            let what = (document.clone(), request.subject.clone().unwrap_or_default().id);
            state.store.views(&request.tenant_id, &view, &what)
        };
        let documents = state.store.documents(&request.tenant_id).into_iter();
        let entity_ids = documents.filter(views).collect();
        let response = PermissionLookupEntityResponse {
            entity_ids,
            ..PermissionLookupEntityResponse::default()
        };
        Ok(response.encode_to_vec())
    }

    async fn write(&self, tenant: &str, what: Option<What>, views: bool, hold: bool) -> Result<Vec<u8>, Rejected> {
        let Some(what) = what else {
            let snap_token = "noop".to_owned();
            return Ok(DataWriteResponse { snap_token }.encode_to_vec());
        };
        let write = Write {
            tenant: tenant.to_owned(),
            what,
            views,
        };
        let token = {
            let store = &mut self.state().store;
            let token = store.begin(write);
            if !hold {
                let last = store.held() - 1;
                store.advance(last);
                store.advance(last);
            }
            token
        };
        let snap_token = token.await.map_err(|_| (INTERNAL, "gone"))?;
        Ok(DataWriteResponse { snap_token }.encode_to_vec())
    }

    async fn serve(self, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let path = parts.uri.path().trim_start_matches("/base.v1.").to_owned();
        let unknown = parts
            .headers
            .get("authorization")
            .is_some_and(|value| value == BAD_CREDENTIALS);
        let hold = parts.headers.contains_key(HOLD);
        let message = body.get(5..).unwrap_or_default().to_vec();
        let metadata = Asked::decode(&*message).ok().and_then(|asked| asked.metadata);
        let metadata = metadata.unwrap_or_default();
        let latency = {
            let mut state = self.state();
            state.calls.push(Called {
                method: path.clone(),
                headers: parts.headers,
                body,
                token: metadata.snap_token,
            });
            state.latency
        };
        pause(latency / 2).await;
        if unknown {
            return failed(UNAUTHENTICATED, "who are you?");
        }
        let reply = match path.as_str() {
            "Watch/Watch" => {
                let request = WatchRequest::decode(&*message).unwrap_or_default();
                let opened = self.state().store.watch(&request.tenant_id);
                return opened.map_or_else(|(code, why)| failed(code, why), stream);
            }
            "Schema/Write" => {
                let request = SchemaWriteRequest::decode(&*message).unwrap_or_default();
                let written = self.state().store.write_schema(&request.tenant_id);
                written.map(|schema_version| SchemaWriteResponse { schema_version }.encode_to_vec())
            }
            path => {
                let method = path.rsplit('/').next().unwrap_or_default();
                self.answer(method, &message, hold).await
            }
        };
        pause(latency / 2).await;
        match reply {
            Ok(message) => succeeded(&message, &[]),
            Err((code, why)) => failed(code, why),
        }
    }
}

async fn pause(latency: Duration) {
    if !latency.is_zero() {
        sleep(latency).await;
    }
}

fn decoded<M: Message + Default>(message: &[u8]) -> Result<M, Rejected> {
    M::decode(message).map_err(|_| (INTERNAL, "grpc: error unmarshalling request"))
}

fn what(entity: Option<&Entity>, subject: Option<&Subject>) -> What {
    let (entity, subject) = (entity.cloned(), subject.cloned());
    (entity.unwrap_or_default().id, subject.unwrap_or_default().id)
}

impl Service<Request<Body>> for Server {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let server = self.clone();
        Box::pin(async move { Ok(server.serve(request).await) })
    }
}
