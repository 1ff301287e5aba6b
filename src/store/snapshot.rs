use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::revision::VectorClock;
use crate::store::clock::{At, Clock};
use crate::store::embedded::Store;
use crate::store::error::{Behind, NodeBehind, ReadError};
use crate::store::filter::Filter;
use crate::store::relationship::{ObjectRef, Relationship, SubjectRef};
use crate::store::replica::{Awaited, Place, Replica};
use crate::store::state::State;
use crate::token::RevisionToken;

/// The revision of a read, once the store has reached the named revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReadMode {
    /// Exactly the named revision.
    Exact,
    /// The store's current revision.
    AtLeast,
}

/// What a [`SnapshotReader`] reads: a [`Store`], or a [`Node`](crate::store::node::Node) of a group.
#[derive(Clone, Debug)]
pub struct Replicated {
    replica: Arc<Replica>,
    _alive: Option<Alive>,
}

/// A node, which hears of other nodes' writes until it is dropped.
type Alive = Arc<dyn fmt::Debug + Send + Sync>;

impl Replicated {
    pub(super) fn new(replica: &Arc<Replica>, alive: Option<Alive>) -> Self {
        Self {
            replica: Arc::clone(replica),
            _alive: alive,
        }
    }
}

impl From<Arc<Store>> for Replicated {
    fn from(store: Arc<Store>) -> Self {
        Self::new(store.replica(), None)
    }
}

/// Reads a store, or a node of a group, at the revisions of [`RevisionToken`]s, and waits for revisions that it has not
/// reached yet.
///
/// A read that has to wait needs a tokio runtime with time; the write that it waits for wakes it, when it is made or when it
/// arrives from its node. The limits are the
/// longest wait (5 s), the longest lead of a token over everything that the store has heard of (10,000 revisions of a node), and the number of waiting reads
/// (1,024, shared by clones).
///
/// ```
/// use std::sync::Arc;
/// use tower_zookie::store::{Filter, Schema, SnapshotReader, Store, Update};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let schema = Schema::parse("definition user {} definition doc { relation reader: user }")?;
/// let store = Arc::new(Store::new(schema));
/// let reader = SnapshotReader::new(store.clone());
///
/// store.write([Update::create("doc:plan#reader@user:alice".parse()?)])?;
/// let token = reader.current_token();
/// store.write([Update::create("doc:plan#reader@user:bob".parse()?)])?;
///
/// let readers = Filter::of_type("doc").id("plan").relation("reader");
/// assert_eq!(reader.read_at_token(&readers, &token).await?.len(), 1);
/// assert_eq!(reader.read_at_least(&readers, &token).await?.len(), 2);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct SnapshotReader {
    replica: Arc<Replica>,
    _alive: Option<Alive>,
    timeout: Duration,
    max_lead: u64,
    max_waiters: usize,
    waiters: Arc<Semaphore>,
}

impl SnapshotReader {
    /// A reader that waits up to 5 seconds for a revision.
    pub fn new(store: impl Into<Replicated>) -> Self {
        Self::with_timeout(store, Duration::from_secs(5))
    }

    /// A reader that waits this long for a revision.
    pub fn with_timeout(store: impl Into<Replicated>, timeout: Duration) -> Self {
        let max_waiters = 1024;
        let Replicated { replica, _alive } = store.into();
        Self {
            replica,
            _alive,
            timeout,
            max_lead: 10_000,
            max_waiters,
            waiters: Arc::new(Semaphore::new(max_waiters)),
        }
    }

    /// The number of revisions that a token may be ahead of the newest one that the store has heard of, by node. A token
    /// further ahead is rejected without a wait.
    #[must_use]
    pub fn max_lead(mut self, revisions: u64) -> Self {
        self.max_lead = revisions;
        self
    }

    /// The number of reads that may wait at once. It does not change earlier clones.
    #[must_use]
    pub fn max_waiters(mut self, count: usize) -> Self {
        self.max_waiters = count.min(Semaphore::MAX_PERMITS);
        self.waiters = Arc::new(Semaphore::new(self.max_waiters));
        self
    }

    /// A token that names the current revision.
    pub fn current_token(&self) -> RevisionToken {
        let state = self.replica.reading();
        state.token(state.clock())
    }

    /// A token that names a revision of this store, or of this node alone, such as the result of a write.
    pub fn token(&self, revision: u64) -> RevisionToken {
        RevisionToken::new(&**self.replica.node(), revision)
    }

    /// The relationships at exactly the token's revision.
    ///
    /// # Errors
    ///
    /// [`ReadError`], also when the snapshot has expired.
    pub async fn read_at_token(&self, filter: &Filter, token: &RevisionToken) -> Result<Vec<Relationship>, ReadError> {
        self.read(filter, token, ReadMode::Exact).await
    }

    /// The current relationships, once the store has reached the token's revision.
    ///
    /// # Errors
    ///
    /// [`ReadError`].
    pub async fn read_at_least(&self, filter: &Filter, token: &RevisionToken) -> Result<Vec<Relationship>, ReadError> {
        self.read(filter, token, ReadMode::AtLeast).await
    }

    async fn read(
        &self,
        filter: &Filter,
        token: &RevisionToken,
        mode: ReadMode,
    ) -> Result<Vec<Relationship>, ReadError> {
        let clock = self.reach(token, mode).await?;
        Ok(self.replica.reading().read(filter, clock.at())?)
    }

    /// The current relationships.
    ///
    /// # Errors
    ///
    /// [`ReadError::Query`].
    pub fn read_current(&self, filter: &Filter) -> Result<Vec<Relationship>, ReadError> {
        let state = self.replica.reading();
        Ok(state.read(filter, state.clock())?)
    }

    /// [`Store::check`] at the token's revision or at the current one. Also returns the token of the revision that was
    /// read.
    ///
    /// # Errors
    ///
    /// [`ReadError`].
    pub async fn check(
        &self,
        resource: &ObjectRef,
        permission: &str,
        subject: &SubjectRef,
        token: &RevisionToken,
        mode: ReadMode,
    ) -> Result<(bool, RevisionToken), ReadError> {
        let clock = self.reach(token, mode).await?;
        let allowed = self.replica.check(resource, permission, subject, clock.at())?;
        Ok((allowed, self.replica.reading().token(clock.at())))
    }

    /// Waits until the store has reached the token's revision, and returns the revision to read at. That of a [`Store`] is
    /// the clock's only number.
    ///
    /// # Errors
    ///
    /// [`ReadError`], except `Query` and `Check`.
    pub async fn wait_for(&self, token: &RevisionToken, mode: ReadMode) -> Result<VectorClock, ReadError> {
        let clock = self.reach(token, mode).await?;
        Ok(self.replica.reading().nodes.spell(clock.at()))
    }

    async fn reach(&self, token: &RevisionToken, mode: ReadMode) -> Result<Clock, ReadError> {
        self.replica.belongs(token)?;
        {
            let state = self.replica.reading();
            self.replica.note_lag(state.numbers(token).at(), state.clock());
        }
        let Some(mut place) = self.look(token)? else {
            return self.reached(token, mode);
        };
        let max = self.max_waiters;
        let Ok(_permit) = self.waiters.try_acquire() else {
            return Err(ReadError::TooManyWaiters { max });
        };
        let waited = timeout(self.timeout, async {
            loop {
                place.woken().await;
                match self.look(token)? {
                    Some(next) => place = next,
                    None => return Ok(()),
                }
            }
        });
        match waited.await {
            Ok(reached) => reached.and_then(|()| self.reached(token, mode)),
            Err(_) => match self.replica.reading().missing(token) {
                behind if behind.nodes().is_empty() => self.reached(token, mode),
                behind => Err(ReadError::Timeout {
                    behind,
                    waited: self.timeout,
                }),
            },
        }
    }

    /// Where to wait for what of a token is missing, if anything is.
    fn look(&self, token: &RevisionToken) -> Result<Option<Place<'_>>, ReadError> {
        let state = self.replica.reading();
        let max_lead = self.max_lead;
        let mut awaited = None;
        for NodeBehind { node, requested, .. } in state.missing(token).nodes() {
            let index = state.nodes.find(node);
            let known = index.map_or(0, |index| state.known().of(index));
            if requested.saturating_sub(known) > max_lead {
                return Err(ReadError::TooFarAhead {
                    node: node.clone(),
                    requested: *requested,
                    known,
                    max_lead,
                });
            }
            let number = *requested;
            let this = index.map_or(Awaited::NewNode, |node| Awaited::Write { node, number });
            awaited.get_or_insert(this);
        }
        Ok(awaited.map(|awaited| self.replica.enter(&state, awaited)))
    }

    /// The clock to read at, once the token is reached.
    fn reached(&self, token: &RevisionToken, mode: ReadMode) -> Result<Clock, ReadError> {
        let state = self.replica.reading();
        match mode {
            ReadMode::AtLeast => Ok(state.clock().into()),
            ReadMode::Exact => {
                let clock = state.numbers(token);
                state.readable(clock.at())?;
                Ok(clock)
            }
        }
    }
}

impl Replica {
    /// Whether a token is well formed and names nodes of this store's group only.
    pub(super) fn belongs(&self, token: &RevisionToken) -> Result<(), ReadError> {
        if let Err(error) = token.validate() {
            return Err(ReadError::Malformed(error));
        }
        let foreign = |(node, number): (&String, &u64)| *number > 0 && !self.is_of_group(node);
        match token.vector_clock.iter().any(foreign) {
            true => Err(ReadError::Foreign),
            false => Ok(()),
        }
    }
}

impl State {
    /// A token of a clock. Its node is this one, or another one where the clock lacks this one's writes.
    pub(super) fn token(&self, at: At<'_>) -> RevisionToken {
        let clock = self.nodes.spell(at);
        let own: &str = self.nodes.own();
        let (node, number) = match clock.get(own) {
            0 => clock.iter().next().unwrap_or((own, 0)),
            number => (own, number),
        };
        RevisionToken::with_vector_clock(node, number, clock.iter())
    }

    /// The numbers of a token whose nodes are all known.
    pub(super) fn numbers(&self, token: &RevisionToken) -> Clock {
        let mut clock = Clock::default();
        for (node, number) in &token.vector_clock {
            if let Some(index) = self.nodes.find(node) {
                clock.set(index, *number);
            }
        }
        clock
    }

    /// What of a token this store has not reached.
    pub(super) fn missing(&self, token: &RevisionToken) -> Behind {
        let wanted = token.vector_clock.iter();
        let missing = wanted.filter_map(|(node, requested)| {
            let reached = self.nodes.find(node).map_or(0, |index| self.clock().of(index));
            (reached < *requested).then(|| NodeBehind {
                node: node.clone(),
                requested: *requested,
                reached,
            })
        });
        Behind::new(missing.collect())
    }
}
