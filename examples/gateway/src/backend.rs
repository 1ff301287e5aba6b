//! What the service answers from: a store of its own, or a node of a group.

use std::sync::Arc;
use std::time::Duration;

use tower_zookie::changes::StoreFeed;
use tower_zookie::revision::VectorClock;
use tower_zookie::store::node::{Node, NodeStats, NodeWriteError};
use tower_zookie::store::{CheckError, ObjectRef, Replicated, Store, SubjectRef, Update};
use tower_zookie::token::{InferaDb, RevisionToken};

/// A revision is a vector clock in both: that of a store has one number.
#[derive(Clone, Debug)]
pub enum Backend {
    Store(Arc<Store>),
    Node(Arc<Node>),
}

impl Backend {
    pub(crate) fn current(&self) -> VectorClock {
        match self {
            Self::Store(store) => of_store(store, store.current_revision()),
            Self::Node(node) => node.clock(),
        }
    }

    /// The revision of reads that name none, rounded to this interval.
    pub(crate) fn quantized(&self, interval: Duration) -> VectorClock {
        match self {
            Self::Store(store) => of_store(store, store.quantized_revision(interval)),
            Self::Node(node) => node.quantized_clock(interval),
        }
    }

    pub(crate) fn check(
        &self,
        resource: &ObjectRef,
        permission: &str,
        subject: &SubjectRef,
        at: &VectorClock,
    ) -> Result<bool, CheckError> {
        match self {
            Self::Store(store) => store.check(resource, permission, subject, at.get(store.node_id())),
            Self::Node(node) => node.check(resource, permission, subject, at),
        }
    }

    /// Writes; the number of the write, and its token.
    pub(crate) async fn write(&self, updates: Vec<Update>) -> Result<(u64, RevisionToken), NodeWriteError> {
        match self {
            Self::Store(store) => {
                let revision = store.write(updates)?;
                Ok((revision, RevisionToken::new(store.node_id(), revision)))
            }
            Self::Node(node) => {
                let written = node.write(updates).await?;
                Ok((written.number, written.token))
            }
        }
    }

    pub(crate) fn token(&self, at: &VectorClock) -> RevisionToken {
        match self {
            Self::Store(store) => RevisionToken::new(store.node_id(), at.get(store.node_id())),
            Self::Node(node) => node.token(at),
        }
    }

    /// The tokens of this service.
    pub fn tokens(&self) -> InferaDb {
        match self {
            Self::Store(_) => InferaDb::new("gateway"),
            Self::Node(_) => InferaDb::cluster("gateway"),
        }
    }

    pub(crate) fn feed(&self) -> StoreFeed {
        match self {
            Self::Store(store) => StoreFeed::new(Arc::clone(store), self.tokens()),
            Self::Node(node) => StoreFeed::of_node(Arc::clone(node), self.tokens()),
        }
    }

    pub(crate) fn node_stats(&self) -> Option<NodeStats> {
        match self {
            Self::Store(_) => None,
            Self::Node(node) => Some(node.stats()),
        }
    }
}

fn of_store(store: &Store, revision: u64) -> VectorClock {
    [(store.node_id(), revision)].into_iter().collect()
}

impl From<Arc<Store>> for Backend {
    fn from(store: Arc<Store>) -> Self {
        Self::Store(store)
    }
}

impl From<Arc<Node>> for Backend {
    fn from(node: Arc<Node>) -> Self {
        Self::Node(node)
    }
}

impl From<Backend> for Replicated {
    fn from(backend: Backend) -> Self {
        match backend {
            Backend::Store(store) => store.into(),
            Backend::Node(node) => node.into(),
        }
    }
}
