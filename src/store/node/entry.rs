use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::revision::VectorClock;
use crate::store::node::spelled;
use crate::store::write::Update;

/// One write of one node, as the nodes of a group exchange it.
///
/// The entries of a node have consecutive numbers from 1. As JSON it is
/// `{"node":"us-west-1@8f3a2c41","number":42,"time":1764172800000000000,"saw":{"us-east-1@8f3a2c41":38},"updates":[["touch","doc:plan#reader@user:ada"]]}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The id of the node that wrote it.
    pub node: Arc<str>,
    /// Its number among the entries of that node.
    pub number: u64,
    /// The hybrid timestamp: nanoseconds since the Unix epoch, or one more than the latest timestamp that the node had seen.
    pub time: u64,
    /// What the node had seen when it wrote: its own previous entry, and the entries of the others.
    #[serde(with = "spelled::clock")]
    pub saw: VectorClock,
    /// What was written.
    #[serde(flatten)]
    pub body: Body,
}

/// What an [`Entry`] writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Body {
    /// The first entry of a node: the text of the schema that it was started with.
    Joined(Arc<str>),
    /// Updates of relationships, all at once.
    #[serde(with = "spelled::updates")]
    Updates(Arc<[Update]>),
    /// The text of a schema that replaces the one in force.
    Schema(Arc<str>),
}

/// What a store had at a vector clock, for a node that starts where the log was trimmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Everything up to this clock is in the snapshot.
    #[serde(with = "spelled::clock")]
    pub clock: VectorClock,
    /// The latest hybrid timestamp of what is in it.
    pub time: u64,
    /// The schemas, oldest first.
    pub schemas: Vec<SchemaCopy>,
    /// The relationships, and those deletions that another node may not have seen.
    pub relationships: Vec<VersionCopy>,
}

/// A schema of a [`Snapshot`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaCopy {
    /// Who wrote it.
    pub node: Arc<str>,
    /// The number of the entry.
    pub number: u64,
    /// The entry's hybrid timestamp.
    pub time: u64,
    /// Its text.
    pub text: Arc<str>,
}

/// What a [`Snapshot`] says of one relationship.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionCopy {
    /// Who wrote it.
    pub node: Arc<str>,
    /// The number of the entry.
    pub number: u64,
    /// The entry's hybrid timestamp.
    pub time: u64,
    /// Whether it exists.
    pub exists: bool,
    /// The relationship.
    #[serde(with = "spelled::relationship")]
    pub relationship: crate::store::relationship::Relationship,
}
