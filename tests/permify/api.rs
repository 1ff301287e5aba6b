//! The messages of `base.v1` that the tests speak, for an encoder that is not the crate's own.

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub(crate) struct Metadata {
    #[prost(string, tag = "1")]
    pub(crate) schema_version: String,
    #[prost(string, tag = "2")]
    pub(crate) snap_token: String,
    #[prost(int32, tag = "3")]
    pub(crate) depth: i32,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub(crate) struct Entity {
    #[prost(string, tag = "1")]
    pub(crate) kind: String,
    #[prost(string, tag = "2")]
    pub(crate) id: String,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub(crate) struct Tuple {
    #[prost(message, optional, tag = "1")]
    pub(crate) entity: Option<Entity>,
    #[prost(string, tag = "2")]
    pub(crate) relation: String,
    #[prost(message, optional, tag = "3")]
    pub(crate) subject: Option<Entity>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub(crate) struct AnyValue {
    #[prost(string, tag = "1")]
    pub(crate) type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) value: Vec<u8>,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub(crate) struct Attribute {
    #[prost(message, optional, tag = "1")]
    pub(crate) entity: Option<Entity>,
    #[prost(string, tag = "2")]
    pub(crate) attribute: String,
    #[prost(message, optional, tag = "3")]
    pub(crate) value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub(crate) struct Context {
    #[prost(message, repeated, tag = "1")]
    pub(crate) tuples: Vec<Tuple>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) attributes: Vec<Attribute>,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub(crate) struct CheckRequest {
    #[prost(string, tag = "1")]
    pub(crate) tenant: String,
    #[prost(message, optional, tag = "2")]
    pub(crate) metadata: Option<Metadata>,
    #[prost(message, optional, tag = "3")]
    pub(crate) entity: Option<Entity>,
    #[prost(string, tag = "4")]
    pub(crate) permission: String,
    #[prost(message, optional, tag = "5")]
    pub(crate) subject: Option<Entity>,
    #[prost(message, optional, tag = "6")]
    pub(crate) context: Option<Context>,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub(crate) struct CheckResponse {
    /// 1 ALLOWED, 2 DENIED.
    #[prost(int32, tag = "1")]
    pub(crate) can: i32,
    #[prost(message, optional, tag = "2")]
    pub(crate) metadata: Option<Checked>,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub(crate) struct Checked {
    #[prost(int32, tag = "1")]
    pub(crate) check_count: i32,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub(crate) struct BulkItem {
    #[prost(message, optional, tag = "1")]
    pub(crate) entity: Option<Entity>,
    #[prost(string, tag = "2")]
    pub(crate) permission: String,
    #[prost(message, optional, tag = "3")]
    pub(crate) subject: Option<Entity>,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub(crate) struct BulkRequest {
    #[prost(string, tag = "1")]
    pub(crate) tenant: String,
    #[prost(message, optional, tag = "2")]
    pub(crate) metadata: Option<Metadata>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) items: Vec<BulkItem>,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub(crate) struct BulkResponse {
    #[prost(message, repeated, tag = "1")]
    pub(crate) results: Vec<CheckResponse>,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub(crate) struct LookupRequest {
    #[prost(string, tag = "1")]
    pub(crate) tenant: String,
    #[prost(message, optional, tag = "2")]
    pub(crate) metadata: Option<Metadata>,
    #[prost(string, tag = "3")]
    pub(crate) entity_type: String,
    #[prost(string, tag = "4")]
    pub(crate) permission: String,
    #[prost(message, optional, tag = "5")]
    pub(crate) subject: Option<Entity>,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub(crate) struct LookupResponse {
    #[prost(string, repeated, tag = "1")]
    pub(crate) entity_ids: Vec<String>,
}

/// `Data.Write`; and a filter for `Data.Delete` is spelled like a tuple if it names one of each.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub(crate) struct WriteRequest {
    #[prost(string, tag = "1")]
    pub(crate) tenant: String,
    #[prost(message, optional, tag = "2")]
    pub(crate) metadata: Option<Metadata>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) tuples: Vec<Tuple>,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub(crate) struct DeleteRequest {
    #[prost(string, tag = "1")]
    pub(crate) tenant: String,
    #[prost(message, optional, tag = "2")]
    pub(crate) tuple_filter: Option<Tuple>,
}

/// The reply to a write, and what a change feed reports about a write.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub(crate) struct Wrote {
    #[prost(string, tag = "1")]
    pub(crate) snap_token: String,
}

/// A request to write a schema or to open a change feed.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub(crate) struct OfTenant {
    #[prost(string, tag = "1")]
    pub(crate) tenant: String,
    #[prost(string, tag = "2")]
    pub(crate) text: String,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub(crate) struct Changes {
    #[prost(message, optional, tag = "1")]
    pub(crate) changes: Option<Wrote>,
}

fn object(kind: &str, id: &str) -> Option<Entity> {
    Some(Entity {
        kind: kind.to_owned(),
        id: id.to_owned(),
    })
}

fn at(token: &str) -> Option<Metadata> {
    Some(Metadata {
        snap_token: token.to_owned(),
        depth: 20,
        ..Metadata::default()
    })
}

/// May the user view the document of the tenant `t1`? Without a token it is empty.
pub(crate) fn check(document: &str, user: &str, token: &str) -> CheckRequest {
    CheckRequest {
        tenant: "t1".to_owned(),
        metadata: at(token),
        entity: object("document", document),
        permission: "view".to_owned(),
        subject: object("user", user),
        context: None,
    }
}

pub(crate) fn bulk(items: &[(&str, &str)], token: &str) -> BulkRequest {
    let item = |(document, user): &(&str, &str)| BulkItem {
        entity: object("document", document),
        permission: "view".to_owned(),
        subject: object("user", user),
    };
    BulkRequest {
        tenant: "t1".to_owned(),
        metadata: at(token),
        items: items.iter().map(item).collect(),
    }
}

/// Which documents may the user view?
pub(crate) fn lookup(user: &str, token: &str) -> LookupRequest {
    LookupRequest {
        tenant: "t1".to_owned(),
        metadata: at(token),
        entity_type: "document".to_owned(),
        permission: "view".to_owned(),
        subject: object("user", user),
    }
}

pub(crate) fn viewer(document: &str, user: &str) -> Tuple {
    Tuple {
        entity: object("document", document),
        relation: "viewer".to_owned(),
        subject: object("user", user),
    }
}
