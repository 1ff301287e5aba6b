//! A client, with or without a layer below it.

use http::Response;
use prost::Message;
use tonic::body::Body;
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};
use tower::ServiceBuilder;
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;
use tower_zookie::protocol::Permify;
use tower_zookie::{Handle, ZookieLayer};

use crate::permify::{
    Check, Checked, Entity, Metadata, SchemaWritten, Subject, WriteSchema, Written, call, check, delete, entity,
    subject, write,
};
use crate::recorder::{Boxed, Recorder};

/// Viewers may view.
pub(crate) const SCHEMA: &str = "
entity user {}
entity document {
  relation owner @user
  relation viewer @user
  permission view = viewer
}";

#[derive(Clone, PartialEq, Message)]
pub(crate) struct BulkCheck {
    #[prost(string, tag = "1")]
    pub(crate) tenant_id: String,
    #[prost(message, tag = "2")]
    pub(crate) metadata: Option<Metadata>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) items: Vec<Item>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Item {
    #[prost(message, tag = "1")]
    pub(crate) entity: Option<Entity>,
    #[prost(string, tag = "2")]
    pub(crate) permission: String,
    #[prost(message, tag = "3")]
    pub(crate) subject: Option<Subject>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct BulkChecked {
    #[prost(message, repeated, tag = "1")]
    pub(crate) results: Vec<Checked>,
}

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
    fn of(results: &[Checked], metadata: &MetadataMap) -> Self {
        let status = metadata.get("cache-status").map(|status| status.to_str().unwrap());
        Self {
            allowed: results.iter().map(|result| result.can == 1).collect(),
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
        let message = WriteSchema {
            tenant_id: self.tenant.clone(),
            schema: schema.to_owned(),
        };
        let written: SchemaWritten = self.write("/base.v1.Schema/Write", message).await;
        written.schema_version
    }

    /// Lets a user view a document, and returns the write's token.
    pub(crate) async fn grant(&self, document: &str, user: &str) -> String {
        let message = write(&self.tenant, document, "viewer", user);
        let written: Written = self.write("/base.v1.Data/Write", message).await;
        written.snap_token
    }

    /// Lets a user view a document no more, and returns the write's token.
    pub(crate) async fn revoke(&self, document: &str, user: &str) -> String {
        let message = delete(&self.tenant, document, "viewer", user);
        let written: Written = self.write("/base.v1.Data/Delete", message).await;
        written.snap_token
    }

    async fn write<M: Message + Default + 'static>(&self, method: &'static str, message: impl Message + 'static) -> M {
        call(self.service.clone(), method, Request::new(message))
            .await
            .unwrap()
            .into_inner()
    }

    /// May a user view a document, as of a token?
    pub(crate) fn question(&self, document: &str, user: &str, token: &str) -> Check {
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

    pub(crate) async fn ask(&self, request: Request<Check>) -> Result<Answer, Status> {
        let reply = call(self.service.clone(), "/base.v1.Permission/Check", request).await?;
        Ok(Answer::of(&[Checked::clone(reply.get_ref())], reply.metadata()))
    }

    /// May a user view these documents, as of a token?
    pub(crate) async fn bulk(&self, documents: &[&str], user: &str, token: &str) -> Answer {
        let item = |document: &&str| Item {
            entity: Some(entity("document", document)),
            permission: "view".to_owned(),
            subject: Some(subject("user", user)),
        };
        let message = BulkCheck {
            tenant_id: self.tenant.clone(),
            metadata: self.question("", "", token).metadata,
            items: documents.iter().map(item).collect(),
        };
        let method = "/base.v1.Permission/BulkCheck";
        let reply = call(self.service.clone(), method, Request::new(message)).await;
        let reply: tonic::Response<BulkChecked> = reply.unwrap();
        Answer::of(&reply.get_ref().results, reply.metadata())
    }
}
