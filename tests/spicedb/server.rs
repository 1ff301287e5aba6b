//! A small SpiceDB: documents, viewers, and revisions that it chooses as the real one does.

use std::convert::Infallible;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::BodyExt;
use prost::Message;
use tokio::time::{Instant, sleep};
use tower::Service;
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie_testing::grpc::{
    ALREADY_EXISTS, Body, FAILED_PRECONDITION, INTERNAL, INVALID_ARGUMENT, Rejected, UNAUTHENTICATED, UNIMPLEMENTED,
};
use tower_zookie_testing::spicedb::messages::{
    CONDITIONAL_PERMISSION, CREATE, CheckBulkPermissionsPair, CheckBulkPermissionsRequest,
    CheckBulkPermissionsRequestItem, CheckBulkPermissionsResponse, CheckBulkPermissionsResponseItem,
    CheckPermissionRequest, CheckPermissionResponse, Consistency, DELETE, DeleteRelationshipsRequest,
    DeleteRelationshipsResponse, ExpandPermissionTreeResponse, HAS_PERMISSION, ImportBulkRelationshipsRequest,
    ImportBulkRelationshipsResponse, Kind, MUST_MATCH, NO_PERMISSION, ObjectReference, PairResponse, Precondition,
    ReadSchemaResponse, Relationship, RelationshipFilter, RelationshipUpdate, Requirement, Status,
    WriteRelationshipsRequest, WriteRelationshipsResponse, ZedToken, full,
};

use crate::choice::{At, Chosen, Loss, State, read};
use crate::reply::{failed, succeeded};
use crate::spelling::{Point, Spelling};
use crate::store::{Change, Named, Store};

/// A header for the tests alone: when the relationship of a write changed last.
pub(crate) const LAST_CHANGE: &str = "x-last-change";

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

/// Any message that states a consistency.
#[derive(Clone, PartialEq, prost::Message)]
struct Stated {
    #[prost(message, tag = "1")]
    consistency: Option<Consistency>,
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
            "ExpandPermissionTree" | "LookupResources" | "LookupSubjects" | "ReadRelationships" => {
                let stated: Stated = decoded(message)?;
                let at = self.read_at(stated.consistency.as_ref())?;
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
        if !["document", "folder"].contains(&&*resource.object_type) {
            return Err((FAILED_PRECONDITION, "object definition not found"));
        }
        if resource.object_id == "odd" {
            return Ok(7);
        }
        let (document, user) = spelled(&Relationship {
            resource: item.resource.clone(),
            subject: item.subject.clone(),
            ..Relationship::default()
        });
        let views = self.state().store.decides(&at.point, &document, &user);
        let question = Some((document, user));
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
        let updates: Vec<(i32, Change)> = request.updates.iter().map(changed).collect();
        let written = self
            .write_if(updates.iter().map(|(_, change)| change.clone()).collect(), |store| {
                let exists =
                    |(operation, change): &(i32, Change)| *operation == CREATE && store.exists(&change.0, &change.1);
                if updates.iter().any(exists) {
                    return Err((ALREADY_EXISTS, "could not CREATE relationship, as it already existed"));
                }
                let holds = |condition: &Precondition| {
                    let filter = condition.filter.clone().unwrap_or_default();
                    let mut all = store.all().into_iter();
                    all.any(|row| matches(&filter, &row)) == (condition.operation == MUST_MATCH)
                };
                match request.optional_preconditions.iter().all(holds) {
                    true => Ok(()),
                    false => Err((FAILED_PRECONDITION, "unable to satisfy write precondition")),
                }
            })
            .await?;
        let written_at = Some(ZedToken::new(written));
        Ok(WriteRelationshipsResponse { written_at }.encode_to_vec())
    }

    async fn delete(&self, message: &[u8]) -> Result<Vec<u8>, Rejected> {
        let request: DeleteRelationshipsRequest = decoded(message)?;
        let filter = request.relationship_filter.unwrap_or_default();
        let all = self.state().store.all().into_iter();
        let changes: Vec<Change> = all
            .filter(|row| matches(&filter, row))
            .map(|(resource, subject)| (resource, subject, false))
            .collect();
        let deleted_at = Some(ZedToken::new(self.write_if(changes, |_| Ok(())).await?));
        Ok(DeleteRelationshipsResponse {
            deleted_at,
            ..DeleteRelationshipsResponse::default()
        }
        .encode_to_vec())
    }

    async fn import(&self, message: &[u8]) -> Result<Vec<u8>, Rejected> {
        let request: ImportBulkRelationshipsRequest = decoded(message)?;
        let row = |relationship: &Relationship| {
            let (resource, subject) = spelled(relationship);
            (resource, subject, true)
        };
        self.write_if(request.relationships.iter().map(row).collect(), |_| Ok(()))
            .await?;
        let num_loaded = request.relationships.len() as u64;
        Ok(ImportBulkRelationshipsResponse { num_loaded }.encode_to_vec())
    }

    /// A transaction. Its token.
    async fn write_if(
        &self,
        changes: Vec<Change>,
        condition: impl FnOnce(&Store) -> Result<(), Rejected>,
    ) -> Result<String, Rejected> {
        while !self.state().store.is_free(&changes) {
            sleep(Duration::from_millis(1)).await;
        }
        condition(&self.state().store)?;
        let id = self.state().store.begin(changes);
        let mut open = Open(self.clone(), Some(id));
        let takes = self.state().write_takes;
        wait(takes).await;
        open.1 = None;
        let token = self.commit(id);
        let loss = self.state().loses.take();
        match loss {
            None => Ok(token),
            Some(Loss::Status(code)) => Err((code, "the reply is lost")),
            Some(Loss::Never) => pending().await,
        }
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
            None if method == "DeleteRelationships" => self.delete(message).await,
            None if method == "ImportBulkRelationships" => self.import(message).await,
            None => self.answer(&method, message),
        };
        let last_change = self.last_change_in(&method, message);
        wait(latency).await;
        let mut response = match reply {
            Ok(message) => succeeded(&message),
            Err((code, why)) => failed(code, why),
        };
        if let Some(token) = last_change {
            let token = HeaderValue::from_str(&token).unwrap();
            response.headers_mut().insert(LAST_CHANGE, token);
        }
        response
    }

    /// The token of the revision at which the first relationship of a write changed last.
    fn last_change_in(&self, method: &str, message: &[u8]) -> Option<String> {
        let relationship = match method {
            "ImportBulkRelationships" => {
                let request = ImportBulkRelationshipsRequest::decode(message).ok()?;
                request.relationships.first()?.clone()
            }
            "WriteRelationships" => {
                let request = WriteRelationshipsRequest::decode(message).ok()?;
                request.updates.first()?.relationship.clone()?
            }
            _ => return None,
        };
        let (resource, subject) = spelled(&relationship);
        let point = self.state().store.last_change_of(&resource, &subject)?;
        Some(self.token_at(&point))
    }
}

fn decoded<M: Message + Default>(message: &[u8]) -> Result<M, Rejected> {
    M::decode(message).map_err(|_| (INTERNAL, "grpc: error unmarshalling request"))
}

/// The resource and the subject of a relationship. Documents and users have no type.
fn spelled(relationship: &Relationship) -> (String, String) {
    let object = |object: Option<ObjectReference>| {
        let object = object.unwrap_or_default();
        match &*object.object_type {
            "" | "document" | "user" => object.object_id,
            kind => format!("{kind}:{}", object.object_id),
        }
    };
    let subject = relationship.subject.clone().unwrap_or_default();
    let relation = match &*subject.optional_relation {
        "" => String::new(),
        relation => format!("#{relation}"),
    };
    (
        object(relationship.resource.clone()),
        object(subject.object) + &relation,
    )
}

fn changed(update: &RelationshipUpdate) -> (i32, Change) {
    let (resource, subject) = spelled(&update.relationship.clone().unwrap_or_default());
    (update.operation, (resource, subject, update.operation != DELETE))
}

/// Whether a relationship matches a filter.
fn matches(filter: &RelationshipFilter, (resource, subject): &(String, String)) -> bool {
    let is = |spelled: &str, by_default: &str, kind: &str, id: &str| {
        let spelled = spelled.split('#').next().unwrap_or_default();
        let (its_kind, its_id) = spelled.split_once(':').unwrap_or((by_default, spelled));
        (kind.is_empty() || kind == its_kind) && (id.is_empty() || id == its_id)
    };
    let subjects = filter.optional_subject_filter.clone().unwrap_or_default();
    is(
        resource,
        "document",
        &filter.resource_type,
        &filter.optional_resource_id,
    ) && is(subject, "user", &subjects.subject_type, &subjects.optional_subject_id)
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
    let consistency = Stated::decode(message).ok().and_then(|stated| stated.consistency);
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
