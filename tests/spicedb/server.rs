//! A SpiceDB in miniature: documents, viewers, revisions and tokens, with the real one's habits where a cache could
//! stumble over them.

use std::collections::HashMap;
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
use tower::Service;
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie::revision::{HybridTime, PostgresSnapshot, Revision, StoreId, TransactionId};
use tower_zookie::token::TokenFormat;
use tower_zookie::token::spicedb::ZedTokens;

use crate::api::{
    BulkItem, BulkRequest, BulkResponse, CheckRequest, CheckResponse, Consistency, Kind, LookupRequest,
    ObjectReference, Pair, PairItem, PairResponse, Requirement, SchemaResponse, Status, SubjectReference, Timestamp,
    TokenResponse, WriteRequest, full, zed_token,
};

use crate::reply::{failed, succeeded};

pub(crate) type Body = UnsyncBoxBody<Bytes, Infallible>;

/// gRPC status codes.
pub(crate) const OK: i32 = 0;
pub(crate) const UNKNOWN: i32 = 2;
pub(crate) const INVALID_ARGUMENT: i32 = 3;
pub(crate) const DEADLINE_EXCEEDED: i32 = 4;
pub(crate) const FAILED_PRECONDITION: i32 = 9;
pub(crate) const OUT_OF_RANGE: i32 = 11;
pub(crate) const UNIMPLEMENTED: i32 = 12;
pub(crate) const UNAVAILABLE: i32 = 14;

#[derive(Clone)]
pub(crate) struct Server {
    engine: Engine,
    state: Arc<Mutex<State>>,
}

pub(crate) struct State {
    pub(crate) prefix: String,
    pub(crate) head: u64,
    /// What reads that name no revision are answered at.
    pub(crate) optimized: u64,
    /// For a document and a user, what became true when.
    history: HashMap<(String, String), Vec<(u64, bool)>>,
    /// All calls, as they came.
    pub(crate) calls: Vec<Called>,
    pub(crate) latency: Duration,
    /// Every call fails with this status.
    pub(crate) down: Option<i32>,
    pub(crate) expires_at: Option<Timestamp>,
    /// Takes every snapshot for what it says, as PostgreSQL does with those that are concurrent with its head.
    pub(crate) gullible: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Called {
    pub(crate) method: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) consistency: Option<Requirement>,
    pub(crate) items: usize,
}

type Refused = (i32, &'static str);

impl Server {
    pub(crate) fn new(engine: Engine) -> Self {
        let state = State {
            prefix: "6349aaf2".to_owned(),
            head: 1000,
            optimized: 1000,
            history: HashMap::new(),
            calls: Vec::new(),
            latency: Duration::ZERO,
            down: None,
            expires_at: None,
            gullible: false,
        };
        Self {
            engine,
            state: Arc::new(Mutex::new(state)),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Makes a user a viewer, or not, behind every cache's back. The token of the write.
    pub(crate) fn set(&self, document: &str, user: &str, views: bool) -> String {
        let mut state = self.state();
        state.head += 1;
        let head = state.head;
        let key = (document.to_owned(), user.to_owned());
        state.history.entry(key).or_default().push((head, views));
        drop(state);
        self.token(head)
    }

    /// The quantized revision catches up.
    pub(crate) fn quantize(&self) {
        let mut state = self.state();
        state.optimized = state.head;
    }

    pub(crate) fn token(&self, revision: u64) -> String {
        let prefix = self.state().prefix.clone();
        self.token_of(revision, &prefix)
    }

    pub(crate) fn token_of(&self, revision: u64, prefix: &str) -> String {
        let engine = match self.engine {
            Engine::Memory => "memory",
            Engine::Postgres => "postgres",
            Engine::CockroachDb => "cockroachdb",
            Engine::MySql => "mysql",
            other => panic!("no {other:?} here"),
        };
        let store = StoreId::new(["spicedb", engine, prefix]);
        let hybrid = HybridTime {
            nanos: i64::try_from(revision).unwrap(),
            logical: 0,
        };
        let revision = match self.engine {
            Engine::Postgres => Revision::new(store, PostgresSnapshot::new(revision, revision, []).unwrap()),
            Engine::MySql => Revision::new(store, TransactionId(revision)),
            _ => Revision::new(store, hybrid),
        };
        ZedTokens::new(self.engine)
            .encode(&revision)
            .unwrap()
            .as_str()
            .to_owned()
    }

    /// The number that a token of this server names, and the datastore's prefix in it.
    pub(crate) fn number(&self, token: &str) -> Option<(u64, String)> {
        let revision = ZedTokens::new(self.engine).decode(token).ok()?;
        let number = match self.engine {
            Engine::Postgres => revision.point::<PostgresSnapshot>()?.xmax(),
            Engine::MySql => revision.point::<TransactionId>()?.0,
            _ => u64::try_from(revision.point::<HybridTime>()?.nanos).ok()?,
        };
        let prefix = revision.store().parts().nth(2)?.to_owned();
        Some((number, prefix))
    }

    /// How often it was asked since the last time.
    pub(crate) fn calls(&self) -> Vec<Called> {
        std::mem::take(&mut self.state().calls)
    }

    fn answer(&self, method: &str, message: &[u8]) -> Result<Vec<u8>, Refused> {
        let broken = |_| (13, "grpc: error unmarshalling request");
        match method {
            "CheckPermission" => {
                let request = CheckRequest::decode(message).map_err(broken)?;
                self.check(&request).map(|reply| reply.encode_to_vec())
            }
            "CheckBulkPermissions" | "BulkCheckPermission" => {
                let request = BulkRequest::decode(message).map_err(broken)?;
                self.bulk(&request).map(|reply| reply.encode_to_vec())
            }
            "WriteRelationships" => {
                let request = WriteRequest::decode(message).map_err(broken)?;
                Ok(self.write(&request).encode_to_vec())
            }
            "WriteSchema" => Ok(self.write(&WriteRequest::default()).encode_to_vec()),
            "ReadSchema" => {
                let (at, _) = self.read_at(full().as_ref())?;
                Ok(SchemaResponse {
                    schema_text: "definition user {}".to_owned(),
                    read_at: Some(zed_token(&at)),
                }
                .encode_to_vec())
            }
            "ImportBulkRelationships" => {
                self.state().head += 1;
                Ok(vec![8, 1])
            }
            "ExpandPermissionTree" | "LookupResources" => {
                let request = LookupRequest::decode(message).map_err(broken)?;
                let (at, _) = self.read_at(request.consistency.as_ref())?;
                let token = Some(zed_token(&at));
                Ok(TokenResponse { token }.encode_to_vec())
            }
            _ => Err((12, "unknown method")),
        }
    }

    /// The token that the reply will bear, and the revision whose data it is evaluated on.
    fn read_at(&self, consistency: Option<&Consistency>) -> Result<(String, u64), Refused> {
        let (head, optimized, prefix) = {
            let state = self.state();
            (state.head, state.optimized, state.prefix.clone())
        };
        let requirement = consistency.and_then(|consistency| consistency.requirement.as_ref());
        let at = match requirement {
            None | Some(Requirement::MinimizeLatency(true)) => optimized,
            Some(Requirement::FullyConsistent(true)) => head,
            Some(Requirement::AtLeastAsFresh(token)) => {
                let (told, of) = self
                    .number(&token.token)
                    .ok_or((INVALID_ARGUMENT, "invalid zedtoken"))?;
                match of == prefix {
                    false => head,
                    // Whether that has been reached is not looked at: PostgreSQL evaluates on what there is and echoes it.
                    true => optimized.max(told),
                }
            }
            Some(Requirement::AtExactSnapshot(token)) => {
                let (told, of) = self
                    .number(&token.token)
                    .ok_or((INVALID_ARGUMENT, "invalid zedtoken"))?;
                if of != prefix {
                    return Err((UNKNOWN, "ZedToken specified references a different datastore instance"));
                }
                if self.state().gullible {
                    return Ok((token.token.clone(), head));
                }
                if told > head || told < 1000 {
                    return Err((OUT_OF_RANGE, "invalid revision"));
                }
                told
            }
            _ => return Err((13, "missing handling of consistency case")),
        };
        Ok((self.token_of(at, &prefix), at.min(head)))
    }

    fn verdict(&self, at: u64, resource: &Option<ObjectReference>, subject: &Option<SubjectReference>) -> bool {
        let id = |object: &Option<ObjectReference>| object.clone().unwrap_or_default().object_id;
        let user = subject.clone().unwrap_or_default();
        self.views(at, &id(resource), &(id(&user.object) + &user.optional_relation))
    }

    /// Whether a user is a document's viewer at a revision.
    pub(crate) fn views(&self, at: u64, document: &str, user: &str) -> bool {
        let state = self.state();
        let history = state.history.get(&(document.to_owned(), user.to_owned()));
        let mut backwards = history.map_or(&[][..], Vec::as_slice).iter().rev();
        backwards
            .find(|(since, _)| *since <= at)
            .is_some_and(|(_, views)| *views)
    }

    /// 1 NO, 2 HAS, 3 CONDITIONAL: the permission `caveated` asks for the context.
    fn permissionship(&self, at: u64, item: &BulkItem) -> Result<i32, Refused> {
        let resource = item.resource.clone().unwrap_or_default();
        if resource.object_type != "document" {
            return Err((FAILED_PRECONDITION, "object definition not found"));
        }
        if resource.object_id == "odd" {
            return Ok(7);
        }
        let verdict = self.verdict(at, &item.resource, &item.subject);
        let amount = item.context.as_ref().and_then(|context| context.fields.get("amount"));
        match (item.permission.as_str(), amount.and_then(|amount| amount.kind.as_ref())) {
            ("caveated", None) => Ok(3),
            ("caveated", Some(Kind::Number(amount))) => Ok(1 + i32::from(*amount < 100.0)),
            ("caveated", Some(_)) => Err((INVALID_ARGUMENT, "type error for parameters for caveat")),
            _ => Ok(1 + i32::from(verdict)),
        }
    }

    fn check(&self, request: &CheckRequest) -> Result<CheckResponse, Refused> {
        let (token, at) = self.read_at(request.consistency.as_ref())?;
        let item = BulkItem {
            resource: request.resource.clone(),
            permission: request.permission.clone(),
            subject: request.subject.clone(),
            context: request.context.clone(),
        };
        Ok(CheckResponse {
            checked_at: Some(zed_token(&token)),
            permissionship: self.permissionship(at, &item)?,
            debug_trace: request.with_tracing.then(|| b"\x0a\x01x".to_vec()),
            optional_expires_at: self.state().expires_at.clone(),
        })
    }

    fn bulk(&self, request: &BulkRequest) -> Result<BulkResponse, Refused> {
        if request.items.len() > 10_000 {
            return Err((INVALID_ARGUMENT, "too many items"));
        }
        let (token, at) = self.read_at(request.consistency.as_ref())?;
        let pair = |item: &BulkItem| Pair {
            request: Some(item.clone()),
            response: Some(match self.permissionship(at, item) {
                Ok(permissionship) => PairResponse::Item(PairItem { permissionship }),
                Err((code, message)) => PairResponse::Error(Status {
                    code,
                    message: message.to_owned(),
                }),
            }),
        };
        Ok(BulkResponse {
            checked_at: Some(zed_token(&token)),
            pairs: request.items.iter().map(pair).collect(),
        })
    }

    fn write(&self, request: &WriteRequest) -> TokenResponse {
        let mut state = self.state();
        state.head += 1;
        let head = state.head;
        for update in &request.updates {
            let relationship = update.relationship.clone().unwrap_or_default();
            let user = relationship
                .subject
                .and_then(|subject| subject.object)
                .unwrap_or_default();
            let key = (relationship.resource.unwrap_or_default().object_id, user.object_id);
            state
                .history
                .entry(key)
                .or_default()
                .push((head, update.operation == 2));
        }
        drop(state);
        TokenResponse {
            token: Some(zed_token(&self.token(head))),
        }
    }

    async fn serve(self, request: Request<Body>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let method = head.uri.path().rsplit('/').next().unwrap_or_default().to_owned();
        let message = body.get(5..).unwrap_or_default();
        let (latency, down) = {
            let mut state = self.state();
            let items = BulkRequest::decode(message).map_or(0, |request| request.items.len());
            let consistency = LookupRequest::decode(message)
                .ok()
                .and_then(|request| request.consistency)
                .or_else(|| {
                    BulkRequest::decode(message)
                        .ok()
                        .and_then(|request| request.consistency)
                })
                .or_else(|| {
                    CheckRequest::decode(message)
                        .ok()
                        .and_then(|request| request.consistency)
                });
            state.calls.push(Called {
                method: method.clone(),
                headers: head.headers,
                body: body.clone(),
                consistency: consistency.and_then(|consistency| consistency.requirement),
                items,
            });
            (state.latency, state.down)
        };
        let reply = match down {
            Some(code) => Err((code, "down")),
            None => self.answer(&method, message),
        };
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        match reply {
            Ok(message) => succeeded(&message),
            Err((code, why)) => failed(code, why),
        }
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
