//! The messages of SpiceDB's feed, encoded by prost.

use bytes::Bytes;
use tower_zookie::changes::{Change, Effect, Object, Subject};
use tower_zookie::revision::{HybridTime, PostgresSnapshot, Revision, StoreId};
use tower_zookie::token::TokenFormat;
use tower_zookie::token::spicedb::{Engine, ZedTokens};
use tower_zookie_testing::frame::framed;
use tower_zookie_testing::spicedb::messages::{
    ObjectReference, Relationship, RelationshipUpdate, SubjectReference, TOUCH, ZedToken,
};

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct WatchRequest {
    #[prost(message, tag = "2")]
    pub(crate) optional_start_cursor: Option<ZedToken>,
    #[prost(int32, repeated, tag = "4")]
    pub(crate) optional_update_kinds: Vec<i32>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct WatchResponse {
    #[prost(message, repeated, tag = "1")]
    pub(crate) updates: Vec<RelationshipUpdate>,
    #[prost(message, tag = "2")]
    pub(crate) changes_through: Option<ZedToken>,
    #[prost(bool, tag = "4")]
    pub(crate) schema_updated: bool,
    #[prost(bool, tag = "5")]
    pub(crate) is_checkpoint: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ReadSchemaResponse {
    #[prost(string, tag = "1")]
    pub(crate) schema_text: String,
    #[prost(message, tag = "2")]
    pub(crate) read_at: Option<ZedToken>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ReadRelationshipsResponse {
    #[prost(message, tag = "1")]
    pub(crate) read_at: Option<ZedToken>,
    #[prost(message, tag = "2")]
    pub(crate) relationship: Option<Relationship>,
}

fn store(engine: &str) -> StoreId {
    StoreId::new(["spicedb", engine, "abcd1234"])
}

/// A revision of PostgreSQL: what sees all transactions before `xmax` except these.
pub(crate) fn seen(xmax: u64, but: &[u64]) -> Revision {
    let xmin = but.iter().copied().min().unwrap_or(xmax);
    let snapshot = PostgresSnapshot::new(xmin, xmax, but.iter().copied()).unwrap();
    Revision::new(store("postgres"), snapshot)
}

/// A revision of CockroachDB.
pub(crate) fn time(nanos: i64) -> Revision {
    Revision::new(store("cockroachdb"), HybridTime { nanos, logical: 0 })
}

pub(crate) fn token(revision: &Revision) -> String {
    let engine = match revision.point::<HybridTime>() {
        Some(_) => Engine::CockroachDb,
        None => Engine::Postgres,
    };
    ZedTokens::new(engine).encode(revision).unwrap().as_str().to_owned()
}

pub(crate) fn zed(revision: &Revision) -> Option<ZedToken> {
    Some(ZedToken { token: token(revision) })
}

pub(crate) fn relationship(id: &str) -> Relationship {
    Relationship {
        resource: object("document", id),
        relation: "viewer".to_owned(),
        subject: Some(SubjectReference {
            object: object("user", "ada"),
            optional_relation: String::new(),
        }),
        optional_expires_at: None,
    }
}

pub(crate) fn object(kind: &str, id: &str) -> Option<ObjectReference> {
    Some(ObjectReference {
        object_type: kind.to_owned(),
        object_id: id.to_owned(),
    })
}

/// The change that [`relationship`] is of.
pub(crate) fn change(effect: Effect, id: &str) -> Change {
    Change {
        effect,
        resource: Object::new("document", id),
        relation: "viewer".into(),
        subject: Subject::of(Object::new("user", "ada")),
    }
}

/// A message that touches the document of this id.
pub(crate) fn touched(id: &str, at: &Revision) -> Bytes {
    framed(&WatchResponse {
        updates: vec![RelationshipUpdate {
            operation: TOUCH,
            relationship: Some(relationship(id)),
        }],
        changes_through: zed(at),
        ..WatchResponse::default()
    })
}

pub(crate) fn checkpoint(at: &Revision) -> Bytes {
    framed(&WatchResponse {
        changes_through: zed(at),
        is_checkpoint: true,
        ..WatchResponse::default()
    })
}

pub(crate) fn schema_updated(at: &Revision) -> Bytes {
    framed(&WatchResponse {
        changes_through: zed(at),
        schema_updated: true,
        ..WatchResponse::default()
    })
}

pub(crate) fn schema(at: &Revision) -> Bytes {
    framed(&ReadSchemaResponse {
        schema_text: "definition user {}".to_owned(),
        read_at: zed(at),
    })
}

pub(crate) fn read(id: &str, at: &Revision) -> Bytes {
    framed(&ReadRelationshipsResponse {
        read_at: zed(at),
        relationship: Some(relationship(id)),
    })
}
