//! A client, with or without a layer below it.

use http::Response;
use prost::Message;
use tonic::body::Body;
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};
use tower::util::BoxCloneSyncService;
use tower::{ServiceBuilder, ServiceExt};
use tower_zookie::protocol::Permify;
use tower_zookie::{Handle, ZookieLayer};
use tower_zookie_testing::permify::call;
use tower_zookie_testing::permify::messages::{
    ALLOWED, DataWriteResponse, PermissionBulkCheckRequest, PermissionBulkCheckRequestItem,
    PermissionBulkCheckResponse, PermissionCheckRequest, PermissionCheckResponse, SchemaWriteRequest,
    SchemaWriteResponse, at, check, delete, entity, subject, write,
};
use tower_zookie_testing::recorder::{Boxed, Recorder};

/// Viewers may view.
pub(crate) const SCHEMA: &str = "
entity user {}
entity document {
  relation owner @user
  relation viewer @user
  permission view = viewer
}";

#[derive(Clone)]
pub(crate) struct Client {
    service: Boxed,
    /// Below the layer, and around the recorder.
    pub(crate) channel: Channel,
    pub(crate) below: Recorder,
    pub(crate) layer: Option<Handle<Permify>>,
    pub(crate) tenant: String,
}

/// The answer to a question, or those to a bulk's, and who gave them.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) allowed: Vec<bool>,
    /// The layer's `cache-status`; empty without a layer.
    pub(crate) status: String,
}

impl Answer {
    fn of(results: &[PermissionCheckResponse], metadata: &MetadataMap) -> Self {
        let status = metadata.get("cache-status").map(|status| status.to_str().unwrap());
        Self {
            allowed: results.iter().map(|result| result.can == ALLOWED).collect(),
            status: status.unwrap_or_default().to_owned(),
        }
    }

    #[track_caller]
    pub(crate) fn says(&self, allowed: impl AsRef<[bool]>) -> &Self {
        assert_eq!(self.allowed, allowed.as_ref(), "{}", self.status);
        self
    }

    #[track_caller]
    pub(crate) fn allows(&self) -> &Self {
        self.says([true])
    }

    #[track_caller]
    pub(crate) fn denies(&self) -> &Self {
        self.says([false])
    }

    #[track_caller]
    pub(crate) fn is(&self, status: &str) -> &Self {
        assert!(self.status.contains(status), "{} where {status} was due", self.status);
        self
    }

    pub(crate) fn hit(&self) -> bool {
        self.status == "tower-zookie; hit"
    }

    #[track_caller]
    pub(crate) fn is_hit(&self) -> &Self {
        assert!(self.hit(), "{}", self.status);
        self
    }

    #[track_caller]
    pub(crate) fn is_forwarded(&self) -> &Self {
        self.is("tower-zookie; fwd=")
    }
}

impl Client {
    pub(crate) fn direct(endpoint: &Endpoint, tenant: &str) -> Self {
        let (below, channel) = (Recorder::default(), endpoint.connect_lazy());
        Self {
            service: below.before(channel.clone()),
            channel,
            below,
            layer: None,
            tenant: tenant.to_owned(),
        }
    }

    pub(crate) fn layered(endpoint: &Endpoint, tenant: &str, layer: &ZookieLayer<Permify>) -> Self {
        let direct = Self::direct(endpoint, tenant);
        let service = ServiceBuilder::new()
            .layer(layer.clone())
            .service(direct.service)
            .map_response(|reply: Response<_>| reply.map(Body::new));
        Self {
            service: BoxCloneSyncService::new(service),
            layer: Some(layer.handle()),
            ..direct
        }
    }

    /// Writes the tenant's schema, and returns its version.
    pub(crate) async fn define(&self, schema: &str) -> String {
        let message = SchemaWriteRequest {
            tenant_id: self.tenant.clone(),
            schema: schema.to_owned(),
        };
        let written: SchemaWriteResponse = self.write("/base.v1.Schema/Write", message).await;
        written.schema_version
    }

    /// Lets a user view a document, and returns the write's token.
    pub(crate) async fn grant(&self, document: &str, user: &str) -> String {
        let message = write(&self.tenant, document, "viewer", user);
        let written: DataWriteResponse = self.write("/base.v1.Data/Write", message).await;
        written.snap_token
    }

    /// Lets a user view a document no more, and returns the write's token.
    pub(crate) async fn revoke(&self, document: &str, user: &str) -> String {
        let message = delete(&self.tenant, document, "viewer", user);
        let written: DataWriteResponse = self.write("/base.v1.Data/Delete", message).await;
        written.snap_token
    }

    async fn write<M: Message + Default + 'static>(&self, method: &'static str, message: impl Message + 'static) -> M {
        call(self.service.clone(), method, Request::new(message))
            .await
            .unwrap()
            .into_inner()
    }

    /// May a user view a document, as of a token?
    pub(crate) fn question(&self, document: &str, user: &str, token: &str) -> PermissionCheckRequest {
        check(&self.tenant, document, "view", user, token)
    }

    pub(crate) async fn check(&self, document: &str, user: &str, token: &str) -> Answer {
        self.ask(Request::new(self.question(document, user, token)))
            .await
            .unwrap()
    }

    /// At exactly that token.
    pub(crate) async fn check_exactly(&self, document: &str, user: &str, token: &str) -> Answer {
        let mut request = Request::new(self.question(document, user, token));
        let consistency = "at-exact-snapshot".parse().unwrap();
        request.metadata_mut().insert("zookie-consistency", consistency);
        self.ask(request).await.unwrap()
    }

    pub(crate) async fn ask(&self, request: Request<PermissionCheckRequest>) -> Result<Answer, Status> {
        let reply = call(self.service.clone(), "/base.v1.Permission/Check", request).await?;
        Ok(Answer::of(
            &[PermissionCheckResponse::clone(reply.get_ref())],
            reply.metadata(),
        ))
    }

    /// May a user view these documents, as of a token?
    pub(crate) async fn bulk(&self, documents: &[&str], user: &str, token: &str) -> Answer {
        let item = |document: &&str| PermissionBulkCheckRequestItem {
            entity: entity("document", document),
            permission: "view".to_owned(),
            subject: subject("user", user),
        };
        let message = PermissionBulkCheckRequest {
            tenant_id: self.tenant.clone(),
            metadata: at(token),
            items: documents.iter().map(item).collect(),
            context: None,
        };
        let method = "/base.v1.Permission/BulkCheck";
        let reply = call(self.service.clone(), method, Request::new(message)).await;
        let reply: tonic::Response<PermissionBulkCheckResponse> = reply.unwrap();
        Answer::of(&reply.get_ref().results, reply.metadata())
    }

    /// How many checks its layer made since the last look.
    pub(crate) fn checks(&self) -> usize {
        self.asked_at().len()
    }

    /// The tokens of the checks that its layer made since the last look.
    pub(crate) fn asked_at(&self) -> Vec<String> {
        let checks = self.below.take::<PermissionCheckRequest>("/Check").into_iter();
        checks.map(|check| check.metadata.unwrap().snap_token).collect()
    }

    /// The documents that the bulks of its layer since the last look asked about.
    pub(crate) fn asked_in_bulk(&self) -> Vec<Vec<String>> {
        let bulks = self.below.take::<PermissionBulkCheckRequest>("/BulkCheck").into_iter();
        let documents =
            |bulk: PermissionBulkCheckRequest| bulk.items.into_iter().map(|item| item.entity.unwrap().id).collect();
        bulks.map(documents).collect()
    }
}
