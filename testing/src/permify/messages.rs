//! Messages of Permify's API `base.v1`, as far as tests and examples need them: encoded by prost, not by the crate's own
//! code.
//!
//! A service of your own would generate all of them, and clients, from Permify's `.proto` files.

pub use crate::google::{Any, Kind, Struct, structure as data};

pub const ALLOWED: i32 = 1;
pub const DENIED: i32 = 2;

/// Deeper than any schema here.
pub const DEPTH: i32 = 20;

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct Entity {
    #[prost(string, tag = "1")]
    pub r#type: String,
    #[prost(string, tag = "2")]
    pub id: String,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct Subject {
    #[prost(string, tag = "1")]
    pub r#type: String,
    #[prost(string, tag = "2")]
    pub id: String,
    #[prost(string, tag = "3")]
    pub relation: String,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct Tuple {
    #[prost(message, tag = "1")]
    pub entity: Option<Entity>,
    #[prost(string, tag = "2")]
    pub relation: String,
    #[prost(message, tag = "3")]
    pub subject: Option<Subject>,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct Attribute {
    #[prost(message, tag = "1")]
    pub entity: Option<Entity>,
    #[prost(string, tag = "2")]
    pub attribute: String,
    #[prost(message, tag = "3")]
    pub value: Option<Any>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Context {
    #[prost(message, repeated, tag = "1")]
    pub tuples: Vec<Tuple>,
    #[prost(message, repeated, tag = "2")]
    pub attributes: Vec<Attribute>,
    #[prost(message, tag = "3")]
    pub data: Option<Struct>,
}

/// The metadata of a question.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct Metadata {
    /// Empty: the latest.
    #[prost(string, tag = "1")]
    pub schema_version: String,
    #[prost(string, tag = "2")]
    pub snap_token: String,
    #[prost(int32, tag = "3")]
    pub depth: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct PermissionCheckRequest {
    #[prost(string, tag = "1")]
    pub tenant_id: String,
    #[prost(message, tag = "2")]
    pub metadata: Option<Metadata>,
    #[prost(message, tag = "3")]
    pub entity: Option<Entity>,
    #[prost(string, tag = "4")]
    pub permission: String,
    #[prost(message, tag = "5")]
    pub subject: Option<Subject>,
    #[prost(message, tag = "6")]
    pub context: Option<Context>,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct PermissionCheckResponse {
    /// [`ALLOWED`] or [`DENIED`].
    #[prost(int32, tag = "1")]
    pub can: i32,
    #[prost(message, tag = "2")]
    pub metadata: Option<PermissionCheckResponseMetadata>,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct PermissionCheckResponseMetadata {
    #[prost(int32, tag = "1")]
    pub check_count: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct PermissionBulkCheckRequest {
    #[prost(string, tag = "1")]
    pub tenant_id: String,
    #[prost(message, tag = "2")]
    pub metadata: Option<Metadata>,
    #[prost(message, repeated, tag = "3")]
    pub items: Vec<PermissionBulkCheckRequestItem>,
    #[prost(message, tag = "4")]
    pub context: Option<Context>,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct PermissionBulkCheckRequestItem {
    #[prost(message, tag = "1")]
    pub entity: Option<Entity>,
    #[prost(string, tag = "2")]
    pub permission: String,
    #[prost(message, tag = "3")]
    pub subject: Option<Subject>,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct PermissionBulkCheckResponse {
    #[prost(message, repeated, tag = "1")]
    pub results: Vec<PermissionCheckResponse>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct PermissionExpandRequest {
    #[prost(string, tag = "1")]
    pub tenant_id: String,
    #[prost(message, tag = "2")]
    pub metadata: Option<Metadata>,
    #[prost(message, tag = "3")]
    pub entity: Option<Entity>,
    #[prost(string, tag = "4")]
    pub permission: String,
    #[prost(message, tag = "5")]
    pub context: Option<Context>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct PermissionLookupEntityRequest {
    #[prost(string, tag = "1")]
    pub tenant_id: String,
    #[prost(message, tag = "2")]
    pub metadata: Option<Metadata>,
    #[prost(string, tag = "3")]
    pub entity_type: String,
    #[prost(string, tag = "4")]
    pub permission: String,
    #[prost(message, tag = "5")]
    pub subject: Option<Subject>,
    #[prost(message, tag = "6")]
    pub context: Option<Context>,
    #[prost(uint32, tag = "8")]
    pub page_size: u32,
    #[prost(string, tag = "9")]
    pub continuous_token: String,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct PermissionLookupEntityResponse {
    #[prost(string, repeated, tag = "1")]
    pub entity_ids: Vec<String>,
    #[prost(string, tag = "2")]
    pub continuous_token: String,
}

/// The metadata of a request that lists relationships or attributes.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct ReadMetadata {
    #[prost(string, tag = "1")]
    pub snap_token: String,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct RelationshipReadRequest {
    #[prost(string, tag = "1")]
    pub tenant_id: String,
    #[prost(message, tag = "2")]
    pub metadata: Option<ReadMetadata>,
    #[prost(message, tag = "3")]
    pub filter: Option<TupleFilter>,
    #[prost(uint32, tag = "4")]
    pub page_size: u32,
    #[prost(string, tag = "5")]
    pub continuous_token: String,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct TupleFilter {
    #[prost(message, tag = "1")]
    pub entity: Option<EntityFilter>,
    #[prost(string, tag = "2")]
    pub relation: String,
    #[prost(message, tag = "3")]
    pub subject: Option<SubjectFilter>,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct EntityFilter {
    #[prost(string, tag = "1")]
    pub r#type: String,
    #[prost(string, repeated, tag = "2")]
    pub ids: Vec<String>,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct SubjectFilter {
    #[prost(string, tag = "1")]
    pub r#type: String,
    #[prost(string, repeated, tag = "2")]
    pub ids: Vec<String>,
    #[prost(string, tag = "3")]
    pub relation: String,
}

/// It has to be there, and may be empty.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct AttributeFilter {
    #[prost(message, tag = "1")]
    pub entity: Option<EntityFilter>,
    #[prost(string, repeated, tag = "2")]
    pub attributes: Vec<String>,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct WriteMetadata {
    #[prost(string, tag = "1")]
    pub schema_version: String,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct DataWriteRequest {
    #[prost(string, tag = "1")]
    pub tenant_id: String,
    #[prost(message, tag = "2")]
    pub metadata: Option<WriteMetadata>,
    #[prost(message, repeated, tag = "3")]
    pub tuples: Vec<Tuple>,
    #[prost(message, repeated, tag = "4")]
    pub attributes: Vec<Attribute>,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct DataDeleteRequest {
    #[prost(string, tag = "1")]
    pub tenant_id: String,
    #[prost(message, tag = "2")]
    pub tuple_filter: Option<TupleFilter>,
    #[prost(message, tag = "3")]
    pub attribute_filter: Option<AttributeFilter>,
}

/// The reply to all that writes data.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct DataWriteResponse {
    #[prost(string, tag = "1")]
    pub snap_token: String,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct SchemaWriteRequest {
    #[prost(string, tag = "1")]
    pub tenant_id: String,
    #[prost(string, tag = "2")]
    pub schema: String,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct SchemaWriteResponse {
    #[prost(string, tag = "1")]
    pub schema_version: String,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct WatchRequest {
    #[prost(string, tag = "1")]
    pub tenant_id: String,
    #[prost(string, tag = "2")]
    pub snap_token: String,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct WatchResponse {
    #[prost(message, tag = "1")]
    pub changes: Option<DataChanges>,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct DataChanges {
    #[prost(string, tag = "1")]
    pub snap_token: String,
    #[prost(message, repeated, tag = "2")]
    pub data_changes: Vec<DataChange>,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct DataChange {
    #[prost(int32, tag = "1")]
    pub operation: i32,
    #[prost(message, tag = "2")]
    pub tuple: Option<Tuple>,
}

pub fn entity(kind: &str, id: &str) -> Option<Entity> {
    Some(Entity {
        r#type: kind.to_owned(),
        id: id.to_owned(),
    })
}

pub fn subject(kind: &str, id: &str) -> Option<Subject> {
    Some(Subject {
        r#type: kind.to_owned(),
        id: id.to_owned(),
        relation: String::new(),
    })
}

/// At a token or, if it is empty, now.
pub fn at(snap_token: &str) -> Option<Metadata> {
    Some(Metadata {
        schema_version: String::new(),
        snap_token: snap_token.to_owned(),
        depth: DEPTH,
    })
}

/// May a user do `permission` to a document, as of a token or (if it is empty) now?
pub fn check(tenant: &str, document: &str, permission: &str, user: &str, snap_token: &str) -> PermissionCheckRequest {
    PermissionCheckRequest {
        tenant_id: tenant.to_owned(),
        metadata: at(snap_token),
        entity: entity("document", document),
        permission: permission.to_owned(),
        subject: subject("user", user),
        context: None,
    }
}

/// A user is a document's `relation`.
pub fn tuple(document: &str, relation: &str, user: &str) -> Tuple {
    Tuple {
        entity: entity("document", document),
        relation: relation.to_owned(),
        subject: subject("user", user),
    }
}

/// A user is a document's `relation` from now on.
pub fn write(tenant: &str, document: &str, relation: &str, user: &str) -> DataWriteRequest {
    DataWriteRequest {
        tenant_id: tenant.to_owned(),
        metadata: Some(WriteMetadata::default()),
        tuples: vec![tuple(document, relation, user)],
        attributes: Vec::new(),
    }
}

/// A user is a document's `relation` no more.
pub fn delete(tenant: &str, document: &str, relation: &str, user: &str) -> DataDeleteRequest {
    let filter = TupleFilter {
        entity: Some(EntityFilter {
            r#type: "document".to_owned(),
            ids: vec![document.to_owned()],
        }),
        relation: relation.to_owned(),
        subject: Some(SubjectFilter {
            r#type: "user".to_owned(),
            ids: vec![user.to_owned()],
            relation: String::new(),
        }),
    };
    DataDeleteRequest {
        tenant_id: tenant.to_owned(),
        tuple_filter: Some(filter),
        attribute_filter: Some(AttributeFilter::default()),
    }
}
