use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::store::embedded::Store;
use crate::store::error::ReadError;
use crate::store::filter::Filter;
use crate::store::relationship::{ObjectRef, Relationship, SubjectRef};
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

/// Reads a store at the revisions of [`RevisionToken`]s, and waits for revisions that the store has not reached yet.
///
/// A read that has to wait needs a tokio runtime with time; the write that it waits for wakes it. The limits are the
/// longest wait (5 s), the longest lead of a token over the store (10,000 revisions), and the number of waiting reads
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
    store: Arc<Store>,
    timeout: Duration,
    max_lead: u64,
    max_waiters: usize,
    waiters: Arc<Semaphore>,
}

impl SnapshotReader {
    /// A reader that waits up to 5 seconds for a revision.
    pub fn new(store: Arc<Store>) -> Self {
        Self::with_timeout(store, Duration::from_secs(5))
    }

    /// A reader that waits this long for a revision.
    pub fn with_timeout(store: Arc<Store>, timeout: Duration) -> Self {
        let max_waiters = 1024;
        Self {
            store,
            timeout,
            max_lead: 10_000,
            max_waiters,
            waiters: Arc::new(Semaphore::new(max_waiters)),
        }
    }

    /// The number of revisions that a token may be ahead of the store. A token further ahead is rejected without a
    /// wait.
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

    /// A token that names the store's current revision.
    pub fn current_token(&self) -> RevisionToken {
        self.token(self.store.current_revision())
    }

    /// A token that names a revision, such as the result of a write.
    pub fn token(&self, revision: u64) -> RevisionToken {
        RevisionToken::new(self.store.node_id(), revision)
    }

    /// The relationships at exactly the token's revision.
    ///
    /// # Errors
    ///
    /// [`ReadError`], also when the snapshot has expired.
    pub async fn read_at_token(&self, filter: &Filter, token: &RevisionToken) -> Result<Vec<Relationship>, ReadError> {
        let revision = self.wait_for(token, ReadMode::Exact).await?;
        Ok(self.store.read(filter, revision)?)
    }

    /// The current relationships, once the store has reached the token's revision.
    ///
    /// # Errors
    ///
    /// [`ReadError`].
    pub async fn read_at_least(&self, filter: &Filter, token: &RevisionToken) -> Result<Vec<Relationship>, ReadError> {
        let revision = self.wait_for(token, ReadMode::AtLeast).await?;
        Ok(self.store.read(filter, revision)?)
    }

    /// The current relationships.
    ///
    /// # Errors
    ///
    /// [`ReadError::Query`].
    pub fn read_current(&self, filter: &Filter) -> Result<Vec<Relationship>, ReadError> {
        Ok(self.store.read(filter, self.store.current_revision())?)
    }

    /// [`Store::check`] at the token's revision or at the current one. Also returns the revision of the read.
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
    ) -> Result<(bool, u64), ReadError> {
        let revision = self.wait_for(token, mode).await?;
        Ok((self.store.check(resource, permission, subject, revision)?, revision))
    }

    /// Waits until the store has reached the token's revision, and returns the revision to read at.
    ///
    /// # Errors
    ///
    /// [`ReadError`], except `Query` and `Check`.
    pub async fn wait_for(&self, token: &RevisionToken, mode: ReadMode) -> Result<u64, ReadError> {
        let revision = self.own_revision(token)?;
        self.wait_for_revision(revision, mode).await
    }

    /// [`wait_for`](Self::wait_for), by the number of one of this store's revisions.
    ///
    /// # Errors
    ///
    /// [`ReadError`], except `Malformed`, `Foreign`, `Query` and `Check`.
    pub async fn wait_for_revision(&self, revision: u64, mode: ReadMode) -> Result<u64, ReadError> {
        let (requested, max_lead, max) = (revision, self.max_lead, self.max_waiters);
        let current = self.store.current_revision();
        if requested > current {
            if requested - current > max_lead {
                return Err(ReadError::TooFarAhead {
                    requested,
                    current,
                    max_lead,
                });
            }
            let Ok(_place) = self.waiters.try_acquire() else {
                return Err(ReadError::TooManyWaiters { max });
            };
            let mut head = self.store.subscribe();
            let reached = timeout(self.timeout, head.wait_for(|head| *head >= requested)).await;
            if !matches!(reached, Ok(Ok(_))) {
                return Err(ReadError::Timeout {
                    requested,
                    current: self.store.current_revision(),
                    waited: self.timeout,
                });
            }
        }
        match mode {
            ReadMode::AtLeast => Ok(self.store.current_revision()),
            ReadMode::Exact => {
                self.store.ensure_readable(requested)?;
                Ok(requested)
            }
        }
    }

    /// The revision that a token names, if the token names only this store: a read can't wait for other nodes.
    fn own_revision(&self, token: &RevisionToken) -> Result<u64, ReadError> {
        let malformed = |what| Err(ReadError::Malformed { what });
        if token.node_id.is_empty() {
            return malformed("it names no node");
        }
        if token.revision == 0 {
            return malformed("its revision is 0");
        }
        if token.vector_clock.get(&token.node_id) != Some(&token.revision) {
            return malformed("its clock and its revision disagree");
        }
        let own = self.store.node_id();
        let knows_others = token.vector_clock.iter().any(|(node, at)| node != own && *at > 0);
        if token.node_id != own || knows_others {
            return Err(ReadError::Foreign);
        }
        Ok(token.revision)
    }
}
