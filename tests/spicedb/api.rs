//! The messages of `authzed.api.v1` that the tests speak, for an encoder that is not the crate's own.

use std::collections::BTreeMap;

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ZedToken {
    #[prost(string, tag = "1")]
    pub(crate) token: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Consistency {
    #[prost(oneof = "Requirement", tags = "1, 2, 3, 4")]
    pub(crate) requirement: Option<Requirement>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Requirement {
    #[prost(bool, tag = "1")]
    MinimizeLatency(bool),
    #[prost(message, tag = "2")]
    AtLeastAsFresh(ZedToken),
    #[prost(message, tag = "3")]
    AtExactSnapshot(ZedToken),
    #[prost(bool, tag = "4")]
    FullyConsistent(bool),
}

impl From<Requirement> for Consistency {
    fn from(requirement: Requirement) -> Self {
        Self {
            requirement: Some(requirement),
        }
    }
}

pub(crate) fn minimize_latency() -> Option<Consistency> {
    Some(Requirement::MinimizeLatency(true).into())
}

pub(crate) fn at_least(token: &str) -> Option<Consistency> {
    Some(Requirement::AtLeastAsFresh(zed_token(token)).into())
}

pub(crate) fn exactly(token: &str) -> Option<Consistency> {
    Some(Requirement::AtExactSnapshot(zed_token(token)).into())
}

pub(crate) fn full() -> Option<Consistency> {
    Some(Requirement::FullyConsistent(true).into())
}

pub(crate) fn zed_token(token: &str) -> ZedToken {
    ZedToken {
        token: token.to_owned(),
    }
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub(crate) struct ObjectReference {
    #[prost(string, tag = "1")]
    pub(crate) object_type: String,
    #[prost(string, tag = "2")]
    pub(crate) object_id: String,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub(crate) struct SubjectReference {
    #[prost(message, tag = "1")]
    pub(crate) object: Option<ObjectReference>,
    #[prost(string, tag = "2")]
    pub(crate) optional_relation: String,
}

/// `google.protobuf.Struct`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Struct {
    #[prost(btree_map = "string, message", tag = "1")]
    pub(crate) fields: BTreeMap<String, Value>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Value {
    #[prost(oneof = "Kind", tags = "2, 3, 4")]
    pub(crate) kind: Option<Kind>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Kind {
    #[prost(double, tag = "2")]
    Number(f64),
    #[prost(string, tag = "3")]
    Text(String),
    #[prost(bool, tag = "4")]
    Bool(bool),
}

pub(crate) fn context(fields: &[(&str, Kind)]) -> Option<Struct> {
    let value = |kind: &Kind| Value {
        kind: Some(kind.clone()),
    };
    Some(Struct {
        fields: fields
            .iter()
            .map(|(name, kind)| ((*name).to_owned(), value(kind)))
            .collect(),
    })
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct CheckRequest {
    #[prost(message, tag = "1")]
    pub(crate) consistency: Option<Consistency>,
    #[prost(message, tag = "2")]
    pub(crate) resource: Option<ObjectReference>,
    #[prost(string, tag = "3")]
    pub(crate) permission: String,
    #[prost(message, tag = "4")]
    pub(crate) subject: Option<SubjectReference>,
    #[prost(message, tag = "5")]
    pub(crate) context: Option<Struct>,
    #[prost(bool, tag = "6")]
    pub(crate) with_tracing: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct CheckResponse {
    #[prost(message, tag = "1")]
    pub(crate) checked_at: Option<ZedToken>,
    #[prost(int32, tag = "2")]
    pub(crate) permissionship: i32,
    #[prost(bytes, optional, tag = "4")]
    pub(crate) debug_trace: Option<Vec<u8>>,
    #[prost(message, tag = "5")]
    pub(crate) optional_expires_at: Option<Timestamp>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Timestamp {
    #[prost(int64, tag = "1")]
    pub(crate) seconds: i64,
    #[prost(int32, tag = "2")]
    pub(crate) nanos: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct BulkRequest {
    #[prost(message, tag = "1")]
    pub(crate) consistency: Option<Consistency>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) items: Vec<BulkItem>,
    #[prost(bool, tag = "3")]
    pub(crate) with_tracing: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct BulkItem {
    #[prost(message, tag = "1")]
    pub(crate) resource: Option<ObjectReference>,
    #[prost(string, tag = "2")]
    pub(crate) permission: String,
    #[prost(message, tag = "3")]
    pub(crate) subject: Option<SubjectReference>,
    #[prost(message, tag = "4")]
    pub(crate) context: Option<Struct>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct BulkResponse {
    #[prost(message, tag = "1")]
    pub(crate) checked_at: Option<ZedToken>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) pairs: Vec<Pair>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Pair {
    #[prost(message, tag = "1")]
    pub(crate) request: Option<BulkItem>,
    #[prost(oneof = "PairResponse", tags = "2, 3")]
    pub(crate) response: Option<PairResponse>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum PairResponse {
    #[prost(message, tag = "2")]
    Item(PairItem),
    #[prost(message, tag = "3")]
    Error(Status),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct PairItem {
    #[prost(int32, tag = "1")]
    pub(crate) permissionship: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Status {
    #[prost(int32, tag = "1")]
    pub(crate) code: i32,
    #[prost(string, tag = "2")]
    pub(crate) message: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    pub(crate) updates: Vec<Update>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Update {
    /// 2 touches, 3 deletes.
    #[prost(int32, tag = "1")]
    pub(crate) operation: i32,
    #[prost(message, tag = "2")]
    pub(crate) relationship: Option<Relationship>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Relationship {
    #[prost(message, tag = "1")]
    pub(crate) resource: Option<ObjectReference>,
    #[prost(string, tag = "2")]
    pub(crate) relation: String,
    #[prost(message, tag = "3")]
    pub(crate) subject: Option<SubjectReference>,
}

/// The reply to a write, and to an expansion: its token stands first in both.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct TokenResponse {
    #[prost(message, tag = "1")]
    pub(crate) token: Option<ZedToken>,
}

/// The reply to `ReadSchema`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct SchemaResponse {
    #[prost(string, tag = "1")]
    pub(crate) schema_text: String,
    #[prost(message, tag = "2")]
    pub(crate) read_at: Option<ZedToken>,
}

/// The request of `LookupResources`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct LookupRequest {
    #[prost(message, tag = "1")]
    pub(crate) consistency: Option<Consistency>,
    #[prost(string, tag = "2")]
    pub(crate) resource_object_type: String,
    #[prost(string, tag = "3")]
    pub(crate) permission: String,
    #[prost(message, tag = "4")]
    pub(crate) subject: Option<SubjectReference>,
    #[prost(uint32, tag = "6")]
    pub(crate) optional_limit: u32,
}

pub(crate) fn document(id: &str) -> Option<ObjectReference> {
    object("document", id)
}

pub(crate) fn object(kind: &str, id: &str) -> Option<ObjectReference> {
    Some(ObjectReference {
        object_type: kind.to_owned(),
        object_id: id.to_owned(),
    })
}

pub(crate) fn user(id: &str) -> Option<SubjectReference> {
    Some(SubjectReference {
        object: object("user", id),
        optional_relation: String::new(),
    })
}

/// May this user view this document?
pub(crate) fn check(document_id: &str, user_id: &str, consistency: Option<Consistency>) -> CheckRequest {
    CheckRequest {
        consistency,
        resource: document(document_id),
        permission: "view".to_owned(),
        subject: user(user_id),
        ..CheckRequest::default()
    }
}

/// May these users view these documents?
pub(crate) fn bulk(items: &[(&str, &str)], consistency: Option<Consistency>) -> BulkRequest {
    let item = |(document_id, user_id): &(&str, &str)| BulkItem {
        resource: document(document_id),
        permission: "view".to_owned(),
        subject: user(user_id),
        context: None,
    };
    BulkRequest {
        consistency,
        items: items.iter().map(item).collect(),
        with_tracing: false,
    }
}
