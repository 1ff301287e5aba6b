//! The messages of SpiceDB's check, `authzed.api.v1`.

pub(crate) const CHECK: &str = "/authzed.api.v1.PermissionsService/CheckPermission";
pub(crate) const HAS_PERMISSION: i32 = 2;

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ZedToken {
    #[prost(string, tag = "1")]
    pub(crate) token: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Consistency {
    #[prost(oneof = "Requirement", tags = "1, 2, 4")]
    pub(crate) requirement: Option<Requirement>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Requirement {
    #[prost(bool, tag = "1")]
    MinimizeLatency(bool),
    #[prost(message, tag = "2")]
    AtLeastAsFresh(ZedToken),
    #[prost(bool, tag = "4")]
    FullyConsistent(bool),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ObjectReference {
    #[prost(string, tag = "1")]
    pub(crate) object_type: String,
    #[prost(string, tag = "2")]
    pub(crate) object_id: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct SubjectReference {
    #[prost(message, tag = "1")]
    pub(crate) object: Option<ObjectReference>,
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
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct CheckResponse {
    #[prost(message, tag = "1")]
    pub(crate) checked_at: Option<ZedToken>,
    #[prost(int32, tag = "2")]
    pub(crate) permissionship: i32,
}
