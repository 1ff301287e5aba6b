//! The few messages of Permify's API `base.v1` that are needed here, and its methods.
//!
//! A service of your own would generate all of them, and clients, from Permify's `.proto` files.

use prost::Message;
use tonic::body::Body;
use tonic::client::{Grpc, GrpcService};
use tonic::codegen::StdError;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

/// Deeper than any schema here.
const DEPTH: i32 = 20;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Entity {
    #[prost(string, tag = "1")]
    pub(crate) r#type: String,
    #[prost(string, tag = "2")]
    pub(crate) id: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Subject {
    #[prost(string, tag = "1")]
    pub(crate) r#type: String,
    #[prost(string, tag = "2")]
    pub(crate) id: String,
    #[prost(string, tag = "3")]
    pub(crate) relation: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Tuple {
    #[prost(message, tag = "1")]
    pub(crate) entity: Option<Entity>,
    #[prost(string, tag = "2")]
    pub(crate) relation: String,
    #[prost(message, tag = "3")]
    pub(crate) subject: Option<Subject>,
}

/// The metadata of a question.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Metadata {
    /// Empty: the latest.
    #[prost(string, tag = "1")]
    pub(crate) schema_version: String,
    #[prost(string, tag = "2")]
    pub(crate) snap_token: String,
    #[prost(int32, tag = "3")]
    pub(crate) depth: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Check {
    #[prost(string, tag = "1")]
    pub(crate) tenant_id: String,
    #[prost(message, tag = "2")]
    pub(crate) metadata: Option<Metadata>,
    #[prost(message, tag = "3")]
    pub(crate) entity: Option<Entity>,
    #[prost(string, tag = "4")]
    pub(crate) permission: String,
    #[prost(message, tag = "5")]
    pub(crate) subject: Option<Subject>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Checked {
    /// 1: allowed, 2: denied.
    #[prost(int32, tag = "1")]
    pub(crate) can: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct WriteSchema {
    #[prost(string, tag = "1")]
    pub(crate) tenant_id: String,
    #[prost(string, tag = "2")]
    pub(crate) schema: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct SchemaWritten {
    #[prost(string, tag = "1")]
    pub(crate) schema_version: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Write {
    #[prost(string, tag = "1")]
    pub(crate) tenant_id: String,
    #[prost(message, tag = "2")]
    pub(crate) metadata: Option<WriteMetadata>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) tuples: Vec<Tuple>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct WriteMetadata {
    #[prost(string, tag = "1")]
    pub(crate) schema_version: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Delete {
    #[prost(string, tag = "1")]
    pub(crate) tenant_id: String,
    #[prost(message, tag = "2")]
    pub(crate) tuples: Option<TupleFilter>,
    #[prost(message, tag = "3")]
    pub(crate) attributes: Option<AttributeFilter>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct TupleFilter {
    #[prost(message, tag = "1")]
    pub(crate) entity: Option<Filter>,
    #[prost(string, tag = "2")]
    pub(crate) relation: String,
    #[prost(message, tag = "3")]
    pub(crate) subject: Option<Filter>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Filter {
    #[prost(string, tag = "1")]
    pub(crate) r#type: String,
    #[prost(string, repeated, tag = "2")]
    pub(crate) ids: Vec<String>,
}

/// It has to be there, and may be empty.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct AttributeFilter {
    #[prost(message, tag = "1")]
    pub(crate) entity: Option<Filter>,
}

/// The reply to what writes data.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Written {
    #[prost(string, tag = "1")]
    pub(crate) snap_token: String,
}

/// May a user do `permission` to a document, as of a token or (if it is empty) now?
pub(crate) fn check(tenant: &str, document: &str, permission: &str, user: &str, snap_token: &str) -> Check {
    Check {
        tenant_id: tenant.to_owned(),
        metadata: Some(Metadata {
            schema_version: String::new(),
            snap_token: snap_token.to_owned(),
            depth: DEPTH,
        }),
        entity: Some(entity("document", document)),
        permission: permission.to_owned(),
        subject: Some(subject("user", user)),
    }
}

/// A user is a document's `relation` from now on.
pub(crate) fn write(tenant: &str, document: &str, relation: &str, user: &str) -> Write {
    let tuple = Tuple {
        entity: Some(entity("document", document)),
        relation: relation.to_owned(),
        subject: Some(subject("user", user)),
    };
    Write {
        tenant_id: tenant.to_owned(),
        metadata: Some(WriteMetadata::default()),
        tuples: vec![tuple],
    }
}

/// A user is a document's `relation` no more.
pub(crate) fn delete(tenant: &str, document: &str, relation: &str, user: &str) -> Delete {
    let filter = |kind: &str, id: &str| Filter {
        r#type: kind.to_owned(),
        ids: vec![id.to_owned()],
    };
    Delete {
        tenant_id: tenant.to_owned(),
        tuples: Some(TupleFilter {
            entity: Some(filter("document", document)),
            relation: relation.to_owned(),
            subject: Some(filter("user", user)),
        }),
        attributes: Some(AttributeFilter::default()),
    }
}

pub(crate) fn entity(kind: &str, id: &str) -> Entity {
    Entity {
        r#type: kind.to_owned(),
        id: id.to_owned(),
    }
}

pub(crate) fn subject(kind: &str, id: &str) -> Subject {
    Subject {
        r#type: kind.to_owned(),
        id: id.to_owned(),
        relation: String::new(),
    }
}

/// Calls a method such as `/base.v1.Permission/Check`.
pub(crate) async fn call<S, Q, A>(service: S, method: &'static str, request: Request<Q>) -> Result<Response<A>, Status>
where
    S: GrpcService<
            Body,
            ResponseBody: http_body::Body<Data = bytes::Bytes, Error: Into<StdError> + Send> + Send + 'static,
        >,
    Q: Message + 'static,
    A: Message + Default + 'static,
{
    let mut grpc = Grpc::new(service);
    let ready = grpc.ready().await;
    ready.map_err(|error| Status::unavailable(error.into().to_string()))?;
    let method = PathAndQuery::from_static(method);
    grpc.unary(request, method, ProstCodec::default()).await
}
