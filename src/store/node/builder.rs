use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::invalid_setting::InvalidSetting;
use crate::store::builder::StoreBuilder;
use crate::store::node::following::Following;
use crate::store::node::link::{Link, LinkError};
use crate::store::node::member::Node;
use crate::store::node::settings::NodeSettings;
use crate::store::node::shared::Shared;
use crate::store::schema::Schema;
use crate::store::state::State;

/// The settings of a [`Node`].
#[must_use]
pub struct NodeBuilder(NodeSettings);

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A setting makes no sense.
    #[error(transparent)]
    Setting(#[from] InvalidSetting),
    /// The link failed for good, or for longer than it may take.
    #[error("the node `{node}` could not read the logs of its group")]
    Link {
        /// The node's name.
        node: String,
        /// Why.
        source: LinkError,
    },
}

impl Node {
    /// The settings of a node. Each node of a group has a name of its own, such as the name of its region, and keeps it.
    pub fn builder(name: impl Into<String>) -> NodeBuilder {
        NodeBuilder(NodeSettings::new(name.into()))
    }
}

impl NodeBuilder {
    /// The limits of the node's relationships and of their history, which every node trims for itself.
    pub fn store(mut self, store: StoreBuilder) -> Self {
        self.0.store = store;
        self
    }

    /// What the node believes the time to be, for tests. By default it is the system's clock.
    pub fn wall_clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.0.wall_clock = Box::new(clock);
        self
    }

    /// The number of writes that may wait for the link to store them; by default 1,024, at least 1. Beyond it a write fails.
    pub fn max_pending_writes(mut self, count: usize) -> Self {
        self.0.max_pending_writes = count;
        self
    }

    /// How long a write waits until it is stored; by default 5 seconds. It may still be stored later.
    pub fn write_timeout(mut self, timeout: Duration) -> Self {
        self.0.write_timeout = timeout;
        self
    }

    /// After how many writes of the group a snapshot is stored, so that the logs stay short; by default 10,000, at least 1.
    pub fn snapshot_every(mut self, writes: u64) -> Self {
        self.0.snapshot_every = writes;
        self
    }

    /// How often the node tells the others what it has reached, so that they can forget deletions; by default every second,
    /// at least a millisecond.
    pub fn report_every(mut self, interval: Duration) -> Self {
        self.0.report_every = interval;
        self
    }

    /// Starts the node: it reads the logs of its group up to their ends, and begins a log of its own if it has none.
    ///
    /// A node that has written before gets its own writes back from the link. The schema is that of a new group; a group that
    /// has one keeps its own. While the link is unavailable this waits.
    ///
    /// # Errors
    ///
    /// [`StartError`].
    pub async fn start(self, schema: Schema, link: Arc<dyn Link>) -> Result<Node, StartError> {
        for (setting, is_valid, problem) in [
            (
                "name",
                !self.0.name.is_empty(),
                "is empty; give each node of the group a name of its own",
            ),
            (
                "max_pending_writes",
                self.0.max_pending_writes > 0,
                "is 0, so nothing could be written; set it to 1 or more",
            ),
            ("snapshot_every", self.0.snapshot_every > 0, "is 0; set it to 1 or more"),
            (
                "report_every",
                self.0.report_every >= Duration::from_millis(1),
                "is less than a millisecond; choose a longer interval",
            ),
        ] {
            if !is_valid {
                return Err(InvalidSetting::new(setting, problem).into());
            }
        }
        let name = self.0.name.clone();
        let failed = |source| StartError::Link { node: name, source };
        let shared = Arc::new(Shared::new(self.0, link)?);
        let mut following = Following::new(Arc::clone(&shared));
        match following.catch_up(&schema).await {
            Ok(incoming) => {
                shared.replica.change(State::begin_to_serve);
                Ok(Node::running(shared, following, incoming))
            }
            Err(error) => Err(failed(error)),
        }
    }
}

impl fmt::Debug for NodeBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeBuilder")
            .field("name", &self.0.name)
            .field("store", &self.0.store)
            .finish_non_exhaustive()
    }
}
