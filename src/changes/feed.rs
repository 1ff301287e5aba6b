use std::error::Error;
use std::fmt;
use std::pin::Pin;

use futures_core::Stream;

use crate::changes::change::Change;
use crate::revision::Revision;

/// What a feed will reply.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, FeedError>> + Send + 'a>>;

/// A store that reports its changes.
pub trait ChangeFeed: fmt::Debug + Send + Sync + 'static {
    /// Whether the reports are complete, so that answers which no change concerns are known to stay true. Otherwise they
    /// only name revisions and end answers.
    fn is_complete(&self) -> bool {
        true
    }

    /// The tenant whose changes it reports. Empty where a store has no tenants.
    fn tenant(&self) -> &str {
        ""
    }

    /// Opens the feed: at `from`, or at the store's head.
    ///
    /// # Errors
    ///
    /// [`FeedError::Lost`] if the store no longer has all changes after `from`. Any other error is tried again.
    fn open<'a>(&'a self, from: Option<&'a Revision>) -> Pending<'a, Opened>;

    /// Reads the schema, at a revision that the store chooses. `None` if the store has no schema that could be read: then
    /// every change concerns every question.
    ///
    /// # Errors
    ///
    /// [`FeedError`]; it is tried again.
    fn schema(&self) -> Pending<'_, Option<SchemaText>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    /// Reads the relationships that match `filter`, at exactly `at`. `None` if the store can't be asked.
    ///
    /// # Errors
    ///
    /// [`FeedError`]; it is tried again later.
    fn relationships<'a>(&'a self, filter: TupleFilter<'a>, at: &'a Revision) -> Pending<'a, Option<Vec<Change>>> {
        let _ = (filter, at);
        Box::pin(std::future::ready(Ok(None)))
    }
}

/// A feed that is open.
#[non_exhaustive]
pub struct Opened {
    /// Every change after this revision will be reported.
    pub start: Revision,
    /// The schema, where opening has read it.
    pub schema: Option<SchemaText>,
    /// What the store reports. It ends with an error, or without one when the store is gone.
    pub events: Pin<Box<dyn Stream<Item = Result<Event, FeedError>> + Send>>,
}

impl Opened {
    /// A feed that reports every change after `start`.
    pub fn new(start: Revision, events: impl Stream<Item = Result<Event, FeedError>> + Send + 'static) -> Self {
        Self {
            start,
            schema: None,
            events: Box::pin(events),
        }
    }

    /// The same, and opening it has read the schema.
    #[must_use]
    pub fn with_schema(self, schema: SchemaText) -> Self {
        Self {
            schema: Some(schema),
            ..self
        }
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("start", &self.start)
            .finish_non_exhaustive()
    }
}

/// What a feed reports. Events may be repeated, but in their order: what came after the first one that is repeated has to come
/// again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Relationships changed. A reader at `at` or later sees the changes.
    Changed {
        /// The revision that made them visible.
        at: Revision,
        /// The changes.
        changes: Vec<Change>,
    },
    /// The schema changed. A reader at `at` or later sees the new one.
    SchemaChanged {
        /// The revision that made it visible.
        at: Revision,
    },
    /// Something changed that can't be told as a change of a relationship: it concerns every question.
    AnythingChanged {
        /// The revision that made it visible.
        at: Revision,
    },
    /// Every change that a reader at this revision sees was reported before.
    Checkpoint {
        /// The revision.
        at: Revision,
    },
}

impl Event {
    /// The revision that it reports.
    pub fn at(&self) -> &Revision {
        match self {
            Self::Changed { at, .. }
            | Self::SchemaChanged { at }
            | Self::AnythingChanged { at }
            | Self::Checkpoint { at } => at,
        }
    }
}

/// A schema, as a store replied it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaText {
    /// The whole schema, in SpiceDB's language.
    pub text: String,
    /// The revision that it was read at.
    pub at: Revision,
}

/// Which relationships to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TupleFilter<'a> {
    /// The type of their resources.
    pub kind: &'a str,
    /// Their relation.
    pub relation: &'a str,
    /// Only those whose subjects are usersets of this type and relation.
    pub usersets: Option<(&'a str, &'a str)>,
    /// Read no more than this many.
    pub limit: usize,
}

/// Why a feed ended, or did not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FeedError {
    /// The store no longer has all changes since the revision at which the feed was to go on.
    #[error("the store no longer has the changes since the feed ended")]
    Lost(#[source] Option<Box<dyn Error + Send + Sync>>),
    /// The feed broke off, or the store could not be asked.
    #[error("the change feed broke off: {0}")]
    Interrupted(#[source] Box<dyn Error + Send + Sync>),
}

impl FeedError {
    /// The feed broke off for this reason.
    pub fn interrupted(why: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Interrupted(why.into())
    }
}
