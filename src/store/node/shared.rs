use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::invalid_setting::InvalidSetting;
use crate::store::clock::{At, OWN};
use crate::store::node::entry::{Body, Entry, SchemaCopy, Snapshot, VersionCopy};
use crate::store::node::error::NodeWriteError;
use crate::store::node::link::Link;
use crate::store::node::settings::NodeSettings;
use crate::store::replica::{Awaited, Replica};
use crate::store::state::{Commit, State};

/// The part of a node that its tasks share.
pub(super) struct Shared {
    pub(super) replica: Arc<Replica>,
    pub(super) link: Arc<dyn Link>,
    wall_clock: Box<dyn Fn() -> SystemTime + Send + Sync>,
    max_pending_writes: usize,
    pub(super) write_timeout: Duration,
    pub(super) snapshot_every: u64,
    pub(super) report_every: Duration,
    /// The writes that the link has to store.
    outbox: Mutex<VecDeque<Entry>>,
    pub(super) written: Notify,
    pub(super) snapshot_due: Notify,
    /// Another process writes as this node.
    pub(super) taken: watch::Sender<bool>,
}

impl Shared {
    pub(super) fn new(settings: NodeSettings, link: Arc<dyn Link>) -> Result<Self, InvalidSetting> {
        let limits = settings.store.validated()?;
        let suffix = match link.group() {
            "" => String::new(),
            group => format!("@{group}"),
        };
        let node = format!("{}{suffix}", settings.name);
        Ok(Self {
            replica: Arc::new(Replica::new(node.into(), Some(suffix.into()), limits)),
            link,
            wall_clock: settings.wall_clock,
            max_pending_writes: settings.max_pending_writes,
            write_timeout: settings.write_timeout,
            snapshot_every: settings.snapshot_every,
            report_every: settings.report_every,
            outbox: Mutex::default(),
            written: Notify::new(),
            snapshot_due: Notify::new(),
            taken: watch::Sender::new(false),
        })
    }

    /// Admits a write: it is in the store, but readers see it only when the link has stored it.
    pub(super) fn admit<E>(
        &self,
        write: impl FnOnce(&mut State, u64, Instant) -> Result<&Commit, E>,
        body: Body,
    ) -> Result<Entry, NodeWriteError>
    where
        NodeWriteError: From<E>,
    {
        self.fits(&body)?;
        let wall = (self.wall_clock)().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall = u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX - 1);
        let entry = self.replica.change(|state| {
            if *self.taken.borrow() {
                return Err(NodeWriteError::Taken);
            }
            let max = self.max_pending_writes;
            if state.pending() >= max {
                return Err(NodeWriteError::Busy { max });
            }
            let commit = write(state, wall, Instant::now())?.clone();
            let entry = entry(state, &commit, body);
            self.outbox().push_back(entry.clone());
            Ok(entry)
        })?;
        self.written.notify_one();
        Ok(entry)
    }

    /// Whether the link can carry a write. One that it can't carry would hold up all later ones.
    fn fits(&self, body: &Body) -> Result<(), NodeWriteError> {
        let limit = self.link.max_entry_size();
        if limit == usize::MAX {
            return Ok(());
        }
        let state = self.replica.reading();
        let draft = Entry {
            node: Arc::clone(state.nodes.own()),
            number: u64::MAX,
            time: u64::MAX,
            saw: state.nodes.spell(state.clock()),
            body: body.clone(),
        };
        drop(state);
        // Writing an entry into memory can't fail.
        let size = serde_json::to_vec(&draft).map_or(usize::MAX, |json| json.len());
        match size > limit {
            true => Err(NodeWriteError::TooLarge { size, limit }),
            false => Ok(()),
        }
    }

    /// Waits until a write of this node is stored, and its readers see it.
    pub(super) async fn acknowledged(&self, number: u64) -> Result<(), NodeWriteError> {
        let mut taken = self.taken.subscribe();
        loop {
            let mut place = {
                let state = self.replica.reading();
                if state.clock().of(OWN) >= number {
                    return Ok(());
                }
                self.replica.enter(&state, Awaited::Write { node: OWN, number })
            };
            tokio::select! {
                () = place.woken() => {}
                _ = taken.wait_for(|taken| *taken) => return Err(NodeWriteError::Taken),
            }
        }
    }

    /// The next writes for the link, at most this many.
    pub(super) fn unstored(&self, max: usize) -> Vec<Entry> {
        let mut outbox = self.outbox();
        let count = outbox.len().min(max);
        outbox.drain(..count).collect()
    }

    /// Shows stored writes to readers.
    pub(super) fn stored(&self, number: u64) {
        let now = Instant::now();
        self.replica.change(|state| {
            state.acknowledge(number, now);
            self.replica.collect_old(state, now);
        });
    }

    /// Another process writes as this node: this one writes nothing more.
    pub(super) fn take_over_by_another(&self) {
        tracing::error!(
            node = &**self.replica.node(),
            "another process writes as this node, so this one writes nothing more; give each process a node name of its own"
        );
        self.taken.send_replace(true);
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let state = self.replica.reading();
        let at: At<'_> = state.clock();
        let schemas = state.schemas().filter(|(stamp, _)| at.sees(stamp));
        let schemas = schemas.map(|(stamp, schema)| SchemaCopy {
            node: Arc::clone(state.nodes.name(stamp.node)),
            number: stamp.number,
            time: stamp.time,
            text: schema.source().into(),
        });
        let deciding = state.objects.deciding(&state.symbols, at);
        let relationships = deciding.filter(|(_, version)| version.exists || state.is_unsettled(&version.stamp));
        let relationships = relationships.map(|(relationship, version)| VersionCopy {
            node: Arc::clone(state.nodes.name(version.stamp.node)),
            number: version.stamp.number,
            time: version.stamp.time,
            exists: version.exists,
            relationship,
        });
        Snapshot {
            clock: state.nodes.spell(at),
            time: state.time(),
            schemas: schemas.collect(),
            relationships: relationships.collect(),
        }
    }

    fn outbox(&self) -> MutexGuard<'_, VecDeque<Entry>> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A write of this node as the link stores it.
pub(super) fn entry(state: &State, commit: &Commit, body: Body) -> Entry {
    Entry {
        node: Arc::clone(state.nodes.own()),
        number: commit.stamp.number,
        time: commit.stamp.time,
        saw: state.nodes.spell(commit.clock.at()),
        body,
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("replica", &self.replica)
            .field("link", &self.link)
            .finish_non_exhaustive()
    }
}
