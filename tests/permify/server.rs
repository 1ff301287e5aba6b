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
use http_body_util::combinators::UnsyncBoxBody;
use prost::Message;
use tokio::time::sleep;
use tower::Service;
use tower_zookie::protocol::permify::Engine;

use crate::api::{
    BulkItem, BulkRequest, BulkResponse, CheckRequest, CheckResponse, Checked, DeleteRequest, Entity, LookupRequest,
    LookupResponse, Metadata, OfTenant, Tuple, WriteRequest, Wrote,
};
use crate::reply::{failed, stream, succeeded};
use crate::store::{Store, View, What, Write};

pub(crate) type Body = UnsyncBoxBody<Bytes, Infallible>;

/// gRPC status codes.
pub(crate) const OK: i32 = 0;
pub(crate) const INVALID_ARGUMENT: i32 = 3;
pub(crate) const OUT_OF_RANGE: i32 = 11;
pub(crate) const UNIMPLEMENTED: i32 = 12;
pub(crate) const INTERNAL: i32 = 13;
const UNAUTHENTICATED: i32 = 16;

/// The credentials that it rejects.
pub(crate) const BAD_CREDENTIALS: &str = "Bearer mallory";

/// Makes a write wait until the test continues its transaction.
pub(crate) const HOLD: &str = "x-hold";

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

type Rejected = (i32, &'static str);

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
                let request: WriteRequest = decoded(message)?;
                self.write(&request.tenant, request.tuples.first(), true, hold).await
            }
            "Delete" => {
                let request: DeleteRequest = decoded(message)?;
                self.write(&request.tenant, request.tuple_filter.as_ref(), false, hold)
                    .await
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

    fn check(&self, request: &CheckRequest) -> Result<Vec<u8>, Rejected> {
        let view = self.view(&request.tenant, request.metadata.as_ref())?;
        let what = what(request.entity.as_ref(), request.subject.as_ref());
        Ok(self.result(&request.tenant, &view, what).encode_to_vec())
    }

    fn bulk(&self, request: &BulkRequest) -> Result<Vec<u8>, Rejected> {
        if !(1..=100).contains(&request.items.len()) {
            return Err((
                INVALID_ARGUMENT,
                "Items: value must contain between 1 and 100 items, inclusive",
            ));
        }
        let view = self.view(&request.tenant, request.metadata.as_ref())?;
        let result = |item: &BulkItem| {
            let what = what(item.entity.as_ref(), item.subject.as_ref());
            self.result(&request.tenant, &view, what)
        };
        let results = request.items.iter().map(result).collect();
        Ok(BulkResponse { results }.encode_to_vec())
    }

    fn result(&self, tenant: &str, view: &View, what: What) -> CheckResponse {
        let (allowed, check_count) = self.state().store.evaluate(tenant, view, what);
        CheckResponse {
            can: if allowed { 1 } else { 2 },
            metadata: Some(Checked { check_count }),
        }
    }

    fn lookup(&self, request: &LookupRequest) -> Result<Vec<u8>, Rejected> {
        let view = self.view(&request.tenant, request.metadata.as_ref())?;
        let state = self.state();
        let views = |document: &String| {
            let what = (document.clone(), request.subject.clone().unwrap_or_default().id);
            state.store.views(&request.tenant, &view, &what)
        };
        let documents = state.store.documents(&request.tenant).into_iter();
        let entity_ids = documents.filter(views).collect();
        Ok(LookupResponse { entity_ids }.encode_to_vec())
    }

    async fn write(&self, tenant: &str, tuple: Option<&Tuple>, views: bool, hold: bool) -> Result<Vec<u8>, Rejected> {
        let Some(tuple) = tuple else {
            let snap_token = "noop".to_owned();
            return Ok(Wrote { snap_token }.encode_to_vec());
        };
        let write = Write {
            tenant: tenant.to_owned(),
            what: what(tuple.entity.as_ref(), tuple.subject.as_ref()),
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
        Ok(Wrote { snap_token }.encode_to_vec())
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
        let of_tenant = || OfTenant::decode(&*message).unwrap_or_default();
        pause(latency / 2).await;
        if unknown {
            return failed(UNAUTHENTICATED, "who are you?");
        }
        let reply = match path.as_str() {
            "Watch/Watch" => {
                let opened = self.state().store.watch(&of_tenant().tenant);
                return opened.map_or_else(|(code, why)| failed(code, why), stream);
            }
            "Schema/Write" => {
                let written = self.state().store.write_schema(&of_tenant().tenant);
                written.map(|snap_token| Wrote { snap_token }.encode_to_vec())
            }
            path => {
                let method = path.rsplit('/').next().unwrap_or_default();
                self.answer(method, &message, hold).await
            }
        };
        pause(latency / 2).await;
        match reply {
            Ok(message) => succeeded(&message),
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

fn what(entity: Option<&Entity>, subject: Option<&Entity>) -> What {
    let id = |object: Option<&Entity>| object.cloned().unwrap_or_default().id;
    (id(entity), id(subject))
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
