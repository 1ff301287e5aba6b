//! A generated client, with or without a layer below it.

use std::fmt::Debug;

use http::Response;
use spicedb_examples::v1::check_bulk_permissions_pair::Response as Item;
use spicedb_examples::v1::permissions_service_client::PermissionsServiceClient;
use spicedb_examples::v1::relationship_update::Operation;
use spicedb_examples::v1::schema_service_client::SchemaServiceClient;
use spicedb_examples::v1::watch_service_client::WatchServiceClient;
use spicedb_examples::v1::{
    CheckBulkPermissionsPair, CheckBulkPermissionsRequest, CheckBulkPermissionsRequestItem, CheckPermissionRequest,
    CheckPermissionResponse, Consistency, Relationship, RelationshipUpdate, WriteRelationshipsRequest, ZedToken,
};
use spicedb_examples::{Bearer, bulk_item, check, decision, relationship};
use tonic::body::Body;
use tonic::metadata::MetadataMap;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Endpoint;
use tonic::{IntoRequest, Status};
use tower::util::BoxCloneSyncService;
use tower::{ServiceBuilder, ServiceExt};
use tower_zookie::protocol::SpiceDb;
use tower_zookie::{Handle, ZookieLayer};
use tower_zookie_testing::recorder::{Boxed, Recorder};

pub(crate) type Caller = InterceptedService<Boxed, Bearer>;

pub(crate) struct Client {
    pub(crate) permissions: PermissionsServiceClient<Caller>,
    pub(crate) schema: SchemaServiceClient<Caller>,
    pub(crate) watch: WatchServiceClient<Caller>,
    /// The calls that the layer made.
    pub(crate) below: Recorder,
    pub(crate) layer: Option<Handle<SpiceDb>>,
    /// What the clients call, for one with other credentials.
    pub(crate) service: Boxed,
}

/// One question.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Question {
    pub(crate) resource: String,
    pub(crate) permission: String,
    pub(crate) subject: String,
}

/// The answer to one question, and who gave it.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) decision: &'static str,
    pub(crate) at: ZedToken,
    /// The layer's `cache-status`; empty without a layer.
    pub(crate) status: String,
}

/// The answers to several questions.
#[derive(Clone, Debug)]
pub(crate) struct Answers {
    pub(crate) pairs: Vec<CheckBulkPermissionsPair>,
    pub(crate) at: ZedToken,
    pub(crate) status: String,
}

impl Question {
    pub(crate) fn new(resource: &str, permission: &str, subject: &str) -> Self {
        Self {
            resource: resource.to_owned(),
            permission: permission.to_owned(),
            subject: subject.to_owned(),
        }
    }

    pub(crate) fn at(&self, consistency: Consistency) -> CheckPermissionRequest {
        check(&self.resource, &self.permission, &self.subject, consistency).unwrap()
    }

    pub(crate) fn item(&self) -> CheckBulkPermissionsRequestItem {
        bulk_item(&self.resource, &self.permission, &self.subject).unwrap()
    }
}

impl Answer {
    #[track_caller]
    pub(crate) fn says(&self, decision: &str) -> &Self {
        assert_eq!(self.decision, decision, "{}", self.status);
        self
    }

    #[track_caller]
    pub(crate) fn is(&self, status: &str) -> &Self {
        assert!(
            self.status.starts_with(status),
            "{} where {status} was due",
            self.status
        );
        self
    }

    #[track_caller]
    pub(crate) fn is_hit(&self) -> &Self {
        self.is("tower-zookie; hit")
    }

    #[track_caller]
    pub(crate) fn is_forwarded(&self) -> &Self {
        self.is("tower-zookie; fwd=")
    }
}

impl Answers {
    /// The decisions, or the code of an item's error.
    pub(crate) fn decisions(&self) -> Vec<String> {
        let decision = |pair: &CheckBulkPermissionsPair| match pair.response.as_ref().unwrap() {
            Item::Item(item) => decision(item.permissionship).to_owned(),
            Item::Error(status) => format!("error {}", status.code),
        };
        self.pairs.iter().map(decision).collect()
    }

    #[track_caller]
    pub(crate) fn is(&self, status: &str) -> &Self {
        assert!(self.status.contains(status), "{} where {status} was due", self.status);
        self
    }
}

impl Client {
    /// The checks that its layer made since the last look.
    pub(crate) fn checks(&self) -> Vec<CheckPermissionRequest> {
        self.below.take("/CheckPermission")
    }

    /// The bulks that its layer made since the last look.
    pub(crate) fn bulks(&self) -> Vec<CheckBulkPermissionsRequest> {
        self.below.take("/CheckBulkPermissions")
    }

    pub(crate) fn direct(endpoint: &Endpoint, bearer: Bearer) -> Self {
        let below = Recorder::default();
        let service = below.before(endpoint.connect_lazy());
        Self::new(service, bearer, below, None)
    }

    pub(crate) fn layered(endpoint: &Endpoint, bearer: Bearer, layer: &ZookieLayer<SpiceDb>) -> Self {
        let below = Recorder::default();
        let service = ServiceBuilder::new()
            .layer(layer.clone())
            .service(below.before(endpoint.connect_lazy()))
            .map_response(|reply: Response<_>| reply.map(Body::new));
        Self::new(BoxCloneSyncService::new(service), bearer, below, Some(layer.handle()))
    }

    fn new(service: Boxed, bearer: Bearer, below: Recorder, layer: Option<Handle<SpiceDb>>) -> Self {
        Self {
            permissions: PermissionsServiceClient::with_interceptor(service.clone(), bearer.clone()),
            schema: SchemaServiceClient::with_interceptor(service.clone(), bearer.clone()),
            watch: WatchServiceClient::with_interceptor(service.clone(), bearer),
            below,
            layer,
            service,
        }
    }

    pub(crate) async fn check(&mut self, question: &Question, consistency: Consistency) -> Result<Answer, Status> {
        self.ask(question.at(consistency)).await
    }

    pub(crate) async fn ask(&mut self, request: impl IntoRequest<CheckPermissionRequest>) -> Result<Answer, Status> {
        let reply = self.permissions.check_permission(request).await?;
        let status = status_of(reply.metadata());
        let CheckPermissionResponse {
            checked_at,
            permissionship,
            ..
        } = reply.into_inner();
        Ok(Answer {
            decision: decision(permissionship),
            at: checked_at.unwrap(),
            status,
        })
    }

    pub(crate) async fn bulk(&mut self, questions: &[&Question], consistency: Consistency) -> Result<Answers, Status> {
        let request = CheckBulkPermissionsRequest {
            consistency: Some(consistency),
            items: questions.iter().map(|question| question.item()).collect(),
            with_tracing: false,
        };
        let reply = self.permissions.check_bulk_permissions(request).await?;
        let status = status_of(reply.metadata());
        let reply = reply.into_inner();
        Ok(Answers {
            pairs: reply.pairs,
            at: reply.checked_at.unwrap(),
            status,
        })
    }

    pub(crate) async fn touch(&mut self, relationships: &[&str]) -> ZedToken {
        self.write(Operation::Touch, relationships).await
    }

    pub(crate) async fn delete(&mut self, relationships: &[&str]) -> ZedToken {
        self.write(Operation::Delete, relationships).await
    }

    async fn write(&mut self, operation: Operation, relationships: &[&str]) -> ZedToken {
        let relationships = relationships.iter().map(|text| relationship(text).unwrap());
        let updates = relationships
            .map(|relationship| update(operation, relationship))
            .collect();
        self.update(updates).await.unwrap()
    }

    pub(crate) async fn update(&mut self, updates: Vec<RelationshipUpdate>) -> Result<ZedToken, Status> {
        let request = WriteRelationshipsRequest {
            updates,
            ..WriteRelationshipsRequest::default()
        };
        let reply = self.permissions.write_relationships(request).await?;
        Ok(reply.into_inner().written_at.unwrap())
    }
}

pub(crate) fn update(operation: Operation, relationship: Relationship) -> RelationshipUpdate {
    RelationshipUpdate {
        operation: operation.into(),
        relationship: Some(relationship),
    }
}

pub(crate) fn status_of(metadata: &MetadataMap) -> String {
    let status = metadata.get("cache-status").map(|status| status.to_str().unwrap());
    status.unwrap_or_default().to_owned()
}
