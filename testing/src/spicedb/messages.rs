//! Messages of SpiceDB's API `authzed.api.v1`, as far as tests need them: encoded by prost, not by the crate's own code.

pub use crate::google::{Kind, Struct, Timestamp, Value, structure as context};

/// The path of a check.
pub const CHECK: &str = "/authzed.api.v1.PermissionsService/CheckPermission";

pub const NO_PERMISSION: i32 = 1;
pub const HAS_PERMISSION: i32 = 2;
pub const CONDITIONAL_PERMISSION: i32 = 3;

pub const CREATE: i32 = 1;
pub const TOUCH: i32 = 2;
pub const DELETE: i32 = 3;

pub const MUST_NOT_MATCH: i32 = 1;
pub const MUST_MATCH: i32 = 2;

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct ZedToken {
    #[prost(string, tag = "1")]
    pub token: String,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct Consistency {
    #[prost(oneof = "Requirement", tags = "1, 2, 3, 4")]
    pub requirement: Option<Requirement>,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Oneof)]
pub enum Requirement {
    #[prost(bool, tag = "1")]
    MinimizeLatency(bool),
    #[prost(message, tag = "2")]
    AtLeastAsFresh(ZedToken),
    #[prost(message, tag = "3")]
    AtExactSnapshot(ZedToken),
    #[prost(bool, tag = "4")]
    FullyConsistent(bool),
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct ObjectReference {
    #[prost(string, tag = "1")]
    pub object_type: String,
    #[prost(string, tag = "2")]
    pub object_id: String,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct SubjectReference {
    #[prost(message, tag = "1")]
    pub object: Option<ObjectReference>,
    #[prost(string, tag = "2")]
    pub optional_relation: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct CheckPermissionRequest {
    #[prost(message, tag = "1")]
    pub consistency: Option<Consistency>,
    #[prost(message, tag = "2")]
    pub resource: Option<ObjectReference>,
    #[prost(string, tag = "3")]
    pub permission: String,
    #[prost(message, tag = "4")]
    pub subject: Option<SubjectReference>,
    #[prost(message, tag = "5")]
    pub context: Option<Struct>,
    #[prost(bool, tag = "6")]
    pub with_tracing: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct CheckPermissionResponse {
    #[prost(message, tag = "1")]
    pub checked_at: Option<ZedToken>,
    /// [`NO_PERMISSION`], [`HAS_PERMISSION`] or [`CONDITIONAL_PERMISSION`].
    #[prost(int32, tag = "2")]
    pub permissionship: i32,
    #[prost(message, tag = "3")]
    pub partial_caveat_info: Option<PartialCaveatInfo>,
    #[prost(bytes = "vec", optional, tag = "4")]
    pub debug_trace: Option<Vec<u8>>,
    #[prost(message, tag = "5")]
    pub optional_expires_at: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct PartialCaveatInfo {
    #[prost(string, repeated, tag = "1")]
    pub missing_required_context: Vec<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct CheckBulkPermissionsRequest {
    #[prost(message, tag = "1")]
    pub consistency: Option<Consistency>,
    #[prost(message, repeated, tag = "2")]
    pub items: Vec<CheckBulkPermissionsRequestItem>,
    #[prost(bool, tag = "3")]
    pub with_tracing: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct CheckBulkPermissionsRequestItem {
    #[prost(message, tag = "1")]
    pub resource: Option<ObjectReference>,
    #[prost(string, tag = "2")]
    pub permission: String,
    #[prost(message, tag = "3")]
    pub subject: Option<SubjectReference>,
    #[prost(message, tag = "4")]
    pub context: Option<Struct>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct CheckBulkPermissionsResponse {
    #[prost(message, tag = "1")]
    pub checked_at: Option<ZedToken>,
    #[prost(message, repeated, tag = "2")]
    pub pairs: Vec<CheckBulkPermissionsPair>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct CheckBulkPermissionsPair {
    #[prost(message, tag = "1")]
    pub request: Option<CheckBulkPermissionsRequestItem>,
    #[prost(oneof = "PairResponse", tags = "2, 3")]
    pub response: Option<PairResponse>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub enum PairResponse {
    #[prost(message, tag = "2")]
    Item(CheckBulkPermissionsResponseItem),
    #[prost(message, tag = "3")]
    Error(Status),
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct CheckBulkPermissionsResponseItem {
    #[prost(int32, tag = "1")]
    pub permissionship: i32,
    #[prost(message, tag = "2")]
    pub partial_caveat_info: Option<PartialCaveatInfo>,
    #[prost(bytes = "vec", optional, tag = "3")]
    pub debug_trace: Option<Vec<u8>>,
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct Status {
    #[prost(int32, tag = "1")]
    pub code: i32,
    #[prost(string, tag = "2")]
    pub message: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Relationship {
    #[prost(message, tag = "1")]
    pub resource: Option<ObjectReference>,
    #[prost(string, tag = "2")]
    pub relation: String,
    #[prost(message, tag = "3")]
    pub subject: Option<SubjectReference>,
    #[prost(message, tag = "5")]
    pub optional_expires_at: Option<Timestamp>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct RelationshipUpdate {
    /// [`CREATE`], [`TOUCH`] or [`DELETE`].
    #[prost(int32, tag = "1")]
    pub operation: i32,
    #[prost(message, tag = "2")]
    pub relationship: Option<Relationship>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct WriteRelationshipsRequest {
    #[prost(message, repeated, tag = "1")]
    pub updates: Vec<RelationshipUpdate>,
    #[prost(message, repeated, tag = "2")]
    pub optional_preconditions: Vec<Precondition>,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct Precondition {
    /// [`MUST_NOT_MATCH`] or [`MUST_MATCH`].
    #[prost(int32, tag = "1")]
    pub operation: i32,
    #[prost(message, tag = "2")]
    pub filter: Option<RelationshipFilter>,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct WriteRelationshipsResponse {
    #[prost(message, tag = "1")]
    pub written_at: Option<ZedToken>,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct RelationshipFilter {
    #[prost(string, tag = "1")]
    pub resource_type: String,
    #[prost(string, tag = "2")]
    pub optional_resource_id: String,
    #[prost(string, tag = "3")]
    pub optional_relation: String,
    #[prost(message, tag = "4")]
    pub optional_subject_filter: Option<SubjectFilter>,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct SubjectFilter {
    #[prost(string, tag = "1")]
    pub subject_type: String,
    #[prost(string, tag = "2")]
    pub optional_subject_id: String,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct DeleteRelationshipsRequest {
    #[prost(message, tag = "1")]
    pub relationship_filter: Option<RelationshipFilter>,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct DeleteRelationshipsResponse {
    #[prost(message, tag = "1")]
    pub deleted_at: Option<ZedToken>,
    #[prost(int32, tag = "2")]
    pub deletion_progress: i32,
    #[prost(uint64, tag = "3")]
    pub relationships_deleted_count: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ImportBulkRelationshipsRequest {
    #[prost(message, repeated, tag = "1")]
    pub relationships: Vec<Relationship>,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct ImportBulkRelationshipsResponse {
    #[prost(uint64, tag = "1")]
    pub num_loaded: u64,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct Cursor {
    #[prost(string, tag = "1")]
    pub token: String,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct ReadRelationshipsRequest {
    #[prost(message, tag = "1")]
    pub consistency: Option<Consistency>,
    #[prost(message, tag = "2")]
    pub relationship_filter: Option<RelationshipFilter>,
    #[prost(uint32, tag = "3")]
    pub optional_limit: u32,
    #[prost(message, tag = "4")]
    pub optional_cursor: Option<Cursor>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct LookupResourcesRequest {
    #[prost(message, tag = "1")]
    pub consistency: Option<Consistency>,
    #[prost(string, tag = "2")]
    pub resource_object_type: String,
    #[prost(string, tag = "3")]
    pub permission: String,
    #[prost(message, tag = "4")]
    pub subject: Option<SubjectReference>,
    #[prost(message, tag = "5")]
    pub context: Option<Struct>,
    #[prost(uint32, tag = "6")]
    pub optional_limit: u32,
    #[prost(message, tag = "7")]
    pub optional_cursor: Option<Cursor>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct LookupSubjectsRequest {
    #[prost(message, tag = "1")]
    pub consistency: Option<Consistency>,
    #[prost(message, tag = "2")]
    pub resource: Option<ObjectReference>,
    #[prost(string, tag = "3")]
    pub permission: String,
    #[prost(string, tag = "4")]
    pub subject_object_type: String,
    #[prost(string, tag = "5")]
    pub optional_subject_relation: String,
    #[prost(message, tag = "6")]
    pub context: Option<Struct>,
    #[prost(uint32, tag = "7")]
    pub optional_concrete_limit: u32,
    #[prost(message, tag = "8")]
    pub optional_cursor: Option<Cursor>,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct ExpandPermissionTreeRequest {
    #[prost(message, tag = "1")]
    pub consistency: Option<Consistency>,
    #[prost(message, tag = "2")]
    pub resource: Option<ObjectReference>,
    #[prost(string, tag = "3")]
    pub permission: String,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct ExpandPermissionTreeResponse {
    #[prost(message, tag = "1")]
    pub expanded_at: Option<ZedToken>,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct WriteSchemaRequest {
    #[prost(string, tag = "1")]
    pub schema: String,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct WriteSchemaResponse {
    #[prost(message, tag = "1")]
    pub written_at: Option<ZedToken>,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct ReadSchemaRequest {}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct ReadSchemaResponse {
    #[prost(string, tag = "1")]
    pub schema_text: String,
    #[prost(message, tag = "2")]
    pub read_at: Option<ZedToken>,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct ComputablePermissionsRequest {
    #[prost(message, tag = "1")]
    pub consistency: Option<Consistency>,
    #[prost(string, tag = "2")]
    pub definition_name: String,
    #[prost(string, tag = "3")]
    pub relation_name: String,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct ComputablePermissionsResponse {
    #[prost(message, repeated, tag = "1")]
    pub permissions: Vec<RelationReference>,
    #[prost(message, tag = "2")]
    pub read_at: Option<ZedToken>,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct RelationReference {
    #[prost(string, tag = "1")]
    pub definition_name: String,
    #[prost(string, tag = "2")]
    pub relation_name: String,
    #[prost(bool, tag = "3")]
    pub is_permission: bool,
}

impl ZedToken {
    pub fn new(token: impl Into<String>) -> Self {
        Self { token: token.into() }
    }
}

impl From<Requirement> for Consistency {
    fn from(requirement: Requirement) -> Self {
        Self {
            requirement: Some(requirement),
        }
    }
}

pub fn minimize_latency() -> Option<Consistency> {
    Some(Requirement::MinimizeLatency(true).into())
}

pub fn at_least(token: &str) -> Option<Consistency> {
    Some(Requirement::AtLeastAsFresh(ZedToken::new(token)).into())
}

pub fn exactly(token: &str) -> Option<Consistency> {
    Some(Requirement::AtExactSnapshot(ZedToken::new(token)).into())
}

pub fn full() -> Option<Consistency> {
    Some(Requirement::FullyConsistent(true).into())
}

pub fn object(kind: &str, id: &str) -> Option<ObjectReference> {
    Some(ObjectReference {
        object_type: kind.to_owned(),
        object_id: id.to_owned(),
    })
}

pub fn document(id: &str) -> Option<ObjectReference> {
    object("document", id)
}

pub fn user(id: &str) -> Option<SubjectReference> {
    Some(SubjectReference {
        object: object("user", id),
        optional_relation: String::new(),
    })
}

/// May this user view this document?
pub fn check(document_id: &str, user_id: &str, consistency: Option<Consistency>) -> CheckPermissionRequest {
    CheckPermissionRequest {
        consistency,
        resource: document(document_id),
        permission: "view".to_owned(),
        subject: user(user_id),
        ..CheckPermissionRequest::default()
    }
}

/// May these users view these documents?
pub fn bulk(items: &[(&str, &str)], consistency: Option<Consistency>) -> CheckBulkPermissionsRequest {
    let item = |(document_id, user_id): &(&str, &str)| CheckBulkPermissionsRequestItem {
        resource: document(document_id),
        permission: "view".to_owned(),
        subject: user(user_id),
        context: None,
    };
    CheckBulkPermissionsRequest {
        consistency,
        items: items.iter().map(item).collect(),
        with_tracing: false,
    }
}
