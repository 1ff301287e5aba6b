//! A small SpiceDB: documents, viewers, and revisions that it chooses as the real one does.

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
use tokio::time::{Instant, sleep};
use tower::Service;
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie_testing::grpc::{
    Body, FAILED_PRECONDITION, INTERNAL, INVALID_ARGUMENT, Rejected, UNAUTHENTICATED, UNIMPLEMENTED,
};
use tower_zookie_testing::spicedb::messages::{
    CONDITIONAL_PERMISSION, CheckBulkPermissionsPair, CheckBulkPermissionsRequest, CheckBulkPermissionsRequestItem,
    CheckBulkPermissionsResponse, CheckBulkPermissionsResponseItem, CheckPermissionRequest, CheckPermissionResponse,
    Consistency, ExpandPermissionTreeResponse, HAS_PERMISSION, ImportBulkRelationshipsResponse, Kind,
    LookupResourcesRequest, NO_PERMISSION, PairResponse, ReadSchemaResponse, RelationshipUpdate, Requirement, Status,
    TOUCH, WriteRelationshipsRequest, WriteRelationshipsResponse, ZedToken, full,
};

use crate::choice::{At, Chosen, State, read};
use crate::reply::{failed, succeeded};
use crate::spelling::{Point, Spelling};
use crate::store::{Change, Named, Store};

/// A key that this server does not accept.
pub(crate) const WRONG_KEY: &str = "Bearer wrong-key";

#[derive(Clone)]
pub(crate) struct Server {
    engine: Engine,
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Called {
    pub(crate) method: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) consistency: Option<Requirement>,
    pub(crate) items: usize,
}

/// A transaction that is rolled back if its caller hangs up.
struct Open(Server, Option<u64>);

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(id) = self.1 {
            self.0.state().store.roll_back(id);
        }
    }
}

impl Server {
    pub(crate) fn new(engine: Engine) -> Self {
        Self {
            engine,
            state: Arc::new(Mutex::new(State::new(engine))),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Makes a user a viewer, or not, behind every cache's back. The token of the write.
    pub(crate) fn set(&self, document: &str, user: &str, views: bool) -> String {
        let id = self.begin(document, user, views);
        self.commit(id)
    }

    /// The same, as a transaction that stays open. Its id.
    pub(crate) fn begin(&self, document: &str, user: &str, views: bool) -> u64 {
        let change = (document.to_owned(), user.to_owned(), views);
        self.state().store.begin(vec![change])
    }

    /// An open transaction ends. Its token.
    pub(crate) fn commit(&self, id: u64) -> String {
        let mut state = self.state();
        let named = state.store.commit(id);
        state.answer(&named.point, Chosen::Written, None, false);
        let head = state.store.last_change();
        state.heads.push((Instant::now(), head));
        state.spell(&named, self.engine)
    }

    pub(crate) fn roll_back(&self, id: u64) {
        let mut state = self.state();
        state.store.roll_back(id);
        let head = state.store.last_change();
        state.heads.push((Instant::now(), head));
    }

    /// The quantized revision of every node catches up.
    pub(crate) fn quantize(&self) {
        for node in 0..2 {
            let newest = self.state().store.newest_default();
            self.quantize_at(node, newest);
        }
    }

    /// From now on a node answers reads without a token at this revision.
    pub(crate) fn quantize_at(&self, node: usize, named: Named) {
        let mut state = self.state();
        state.defaults.push((Instant::now(), node, named.point.clone()));
        state.quantized[node] = named;
    }

    /// There are no older revisions than this.
    pub(crate) fn begin_at(&self, number: u64) {
        self.state().store = Store::beginning_at(self.engine, number);
        self.quantize();
    }

    /// Many transactions end that change nothing in this store.
    pub(crate) fn jump(&self, to: u64) {
        self.state().store.jump(to);
    }

    /// The store is replaced by a back-up of an earlier one.
    pub(crate) fn restore(&self, to: u64) {
        self.state().store.restore(to);
        self.quantize();
    }

    /// The next head reads, if they come soon, are answered with the present head, whatever happens meanwhile.
    pub(crate) fn share_head(&self, times: usize) {
        let mut state = self.state();
        let head = state.store.head();
        state.shared_head = Some((Instant::now(), head, times));
    }

    pub(crate) fn head(&self) -> Point {
        self.state().store.head()
    }

    /// A token of this store, in its canonical spelling.
    pub(crate) fn token_at(&self, point: &Point) -> String {
        Spelling::of(point, self.engine, &self.state().prefix).write()
    }

    pub(crate) fn token(&self, number: u64) -> String {
        let prefix = self.state().prefix.clone();
        self.token_of(number, &prefix)
    }

    pub(crate) fn token_of(&self, number: u64, prefix: &str) -> String {
        let snapshot = tower_zookie::revision::PostgresSnapshot::new(number, number, []).unwrap();
        let point = match self.engine {
            Engine::Postgres => Point::Snapshot(snapshot),
            _ => Point::Number(number, 0),
        };
        Spelling::of(&point, self.engine, prefix).write()
    }

    /// A token far ahead of the store.
    pub(crate) fn future(&self) -> String {
        let number = self.head().number();
        let by_clock = matches!(self.engine, Engine::Memory | Engine::CockroachDb);
        self.token(number + if by_clock { 3_600_000_000_000 } else { 4000 })
    }

    /// The number that a token of this server names, and the datastore's prefix in it.
    pub(crate) fn number(&self, token: &str) -> Option<(u64, String)> {
        let (spelling, point) = read(token, self.engine).ok()?;
        Some((point.number(), spelling.prefix))
    }

    pub(crate) fn point(&self, token: &str) -> Point {
        let (_, point) = read(token, self.engine).unwrap_or_else(|rejected| panic!("{token}: {rejected:?}"));
        point
    }

    /// How many calls there were since the last time this was read.
    pub(crate) fn calls(&self) -> Vec<Called> {
        std::mem::take(&mut self.state().calls)
    }

    /// Whether a user is a document's viewer at a revision, as it is read now.
    pub(crate) fn views(&self, at: &Point, document: &str, user: &str) -> bool {
        self.state().store.views(at, document, user)
    }

    fn answer(&self, method: &str, message: &[u8]) -> Result<Vec<u8>, Rejected> {
        match method {
            "CheckPermission" => {
                let request: CheckPermissionRequest = decoded(message)?;
                self.check(&request).map(|reply| reply.encode_to_vec())
            }
            "CheckBulkPermissions" | "BulkCheckPermission" => {
                let request: CheckBulkPermissionsRequest = decoded(message)?;
                self.bulk(&request).map(|reply| reply.encode_to_vec())
            }
            "WriteSchema" => Ok(self.write_at_once().encode_to_vec()),
            "ReadSchema" => {
                let at = self.read_at(full().as_ref())?;
                Ok(ReadSchemaResponse {
                    schema_text: "definition user {}".to_owned(),
                    read_at: Some(ZedToken::new(&at.token)),
                }
                .encode_to_vec())
            }
            "ImportBulkRelationships" => {
                self.write_at_once();
                Ok(ImportBulkRelationshipsResponse { num_loaded: 1 }.encode_to_vec())
            }
            "ExpandPermissionTree" | "LookupResources" => {
                let request: LookupResourcesRequest = decoded(message)?;
                let at = self.read_at(request.consistency.as_ref())?;
                let expanded_at = Some(ZedToken::new(&at.token));
                Ok(ExpandPermissionTreeResponse { expanded_at }.encode_to_vec())
            }
            _ => Err((UNIMPLEMENTED, "unknown method")),
        }
    }

    fn read_at(&self, consistency: Option<&Consistency>) -> Result<At, Rejected> {
        self.state().choose(consistency, self.engine)
    }

    /// The permission `caveated` asks for the context.
    fn permissionship(&self, at: &At, item: &CheckBulkPermissionsRequestItem) -> Result<i32, Rejected> {
        let resource = item.resource.clone().unwrap_or_default();
        if resource.object_type != "document" {
            return Err((FAILED_PRECONDITION, "object definition not found"));
        }
        if resource.object_id == "odd" {
            return Ok(7);
        }
        let subject = item.subject.clone().unwrap_or_default();
        let user = subject.object.unwrap_or_default().object_id + &subject.optional_relation;
        let views = self.views(&at.point, &resource.object_id, &user);
        let question = Some((resource.object_id, user));
        self.state().answer(&at.point, at.chosen, question, views);
        let amount = item.context.as_ref().and_then(|context| context.fields.get("amount"));
        match (item.permission.as_str(), amount.and_then(|amount| amount.kind.as_ref())) {
            ("caveated", None) => Ok(CONDITIONAL_PERMISSION),
            ("caveated", Some(Kind::NumberValue(amount))) => Ok(permissionship(*amount < 100.0)),
            ("caveated", Some(_)) => Err((INVALID_ARGUMENT, "type error for parameters for caveat")),
            _ => Ok(permissionship(views)),
        }
    }

    fn check(&self, request: &CheckPermissionRequest) -> Result<CheckPermissionResponse, Rejected> {
        let at = self.read_at(request.consistency.as_ref())?;
        let item = CheckBulkPermissionsRequestItem {
            resource: request.resource.clone(),
            permission: request.permission.clone(),
            subject: request.subject.clone(),
            context: request.context.clone(),
        };
        Ok(CheckPermissionResponse {
            permissionship: self.permissionship(&at, &item)?,
            checked_at: Some(ZedToken::new(&at.token)),
            debug_trace: request.with_tracing.then(|| b"any".to_vec()),
            optional_expires_at: self.state().expires_at,
            ..CheckPermissionResponse::default()
        })
    }

    fn bulk(&self, request: &CheckBulkPermissionsRequest) -> Result<CheckBulkPermissionsResponse, Rejected> {
        if request.items.len() > 10_000 {
            return Err((INVALID_ARGUMENT, "too many items"));
        }
        let at = self.read_at(request.consistency.as_ref())?;
        let pair = |item: &CheckBulkPermissionsRequestItem| CheckBulkPermissionsPair {
            request: Some(item.clone()),
            response: Some(match self.permissionship(&at, item) {
                Ok(permissionship) => PairResponse::Item(CheckBulkPermissionsResponseItem {
                    permissionship,
                    ..CheckBulkPermissionsResponseItem::default()
                }),
                Err((code, message)) => PairResponse::Error(Status {
                    code,
                    message: message.to_owned(),
                }),
            }),
        };
        Ok(CheckBulkPermissionsResponse {
            checked_at: Some(ZedToken::new(&at.token)),
            pairs: request.items.iter().map(pair).collect(),
        })
    }

    fn write_at_once(&self) -> WriteRelationshipsResponse {
        let id = self.state().store.begin(Vec::new());
        WriteRelationshipsResponse {
            written_at: Some(ZedToken::new(self.commit(id))),
        }
    }

    async fn write(&self, message: &[u8]) -> Result<Vec<u8>, Rejected> {
        let request: WriteRelationshipsRequest = decoded(message)?;
        let change = |update: &RelationshipUpdate| -> Change {
            let relationship = update.relationship.clone().unwrap_or_default();
            let subject = relationship.subject.and_then(|subject| subject.object);
            (
                relationship.resource.unwrap_or_default().object_id,
                subject.unwrap_or_default().object_id,
                update.operation == TOUCH,
            )
        };
        let changes: Vec<Change> = request.updates.iter().map(change).collect();
        while !self.state().store.is_free(&changes) {
            sleep(Duration::from_millis(1)).await;
        }
        let id = self.state().store.begin(changes);
        let mut open = Open(self.clone(), Some(id));
        let takes = self.state().write_takes;
        wait(takes).await;
        open.1 = None;
        let written_at = Some(ZedToken::new(self.commit(id)));
        Ok(WriteRelationshipsResponse { written_at }.encode_to_vec())
    }

    async fn serve(self, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let method = parts.uri.path().rsplit('/').next().unwrap_or_default().to_owned();
        let message = body.get(5..).unwrap_or_default();
        let wrong_key = parts.headers.get("authorization").is_some_and(|key| key == WRONG_KEY);
        let (before, latency, down) = {
            let mut state = self.state();
            let called = called(&method, parts.headers, body.clone());
            state.calls.push(called);
            let question = CheckPermissionRequest::decode(message)
                .ok()
                .and_then(|request| request.resource);
            let slow = state
                .slow
                .filter(|(document, _)| question.is_some_and(|asked| asked.object_id == *document));
            let extra = slow.map_or(Duration::ZERO, |(_, extra)| extra);
            (state.before, state.latency + extra, state.down)
        };
        wait(before).await;
        let reply = match down {
            _ if wrong_key => Err((UNAUTHENTICATED, "invalid preshared key")),
            Some(code) => Err((code, "down")),
            None if body.first() == Some(&1) => Err((UNIMPLEMENTED, "grpc: Decompressor is not installed")),
            None if method == "WriteRelationships" => self.write(message).await,
            None => self.answer(&method, message),
        };
        wait(latency).await;
        match reply {
            Ok(message) => succeeded(&message),
            Err((code, why)) => failed(code, why),
        }
    }
}

fn decoded<M: Message + Default>(message: &[u8]) -> Result<M, Rejected> {
    M::decode(message).map_err(|_| (INTERNAL, "grpc: error unmarshalling request"))
}

fn permissionship(has: bool) -> i32 {
    if has { HAS_PERMISSION } else { NO_PERMISSION }
}

async fn wait(duration: Duration) {
    if !duration.is_zero() {
        sleep(duration).await;
    }
}

fn called(method: &str, headers: HeaderMap, body: Bytes) -> Called {
    let message = body.get(5..).unwrap_or_default();
    let of_lookup = LookupResourcesRequest::decode(message).map(|request| request.consistency);
    let of_bulk = CheckBulkPermissionsRequest::decode(message).map(|request| request.consistency);
    let of_check = CheckPermissionRequest::decode(message).map(|request| request.consistency);
    let consistency = [of_lookup, of_bulk, of_check]
        .into_iter()
        .find_map(|read| read.ok().flatten());
    Called {
        method: method.to_owned(),
        headers,
        consistency: consistency.and_then(|consistency| consistency.requirement),
        items: CheckBulkPermissionsRequest::decode(message).map_or(0, |request| request.items.len()),
        body,
    }
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
