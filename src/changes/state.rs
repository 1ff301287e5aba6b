use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;

use crate::changes::feed::FeedError;
use crate::warnings::Warning;

/// What a follower has to report.
#[derive(Debug)]
pub(crate) enum Notice {
    /// The feed ended, or did not open. It is opened again after the pause.
    Ended {
        error: FeedError,
        pause: Duration,
    },
    /// The store no longer has the changes since then.
    Lost(FeedError),
    /// It is the feed of another store than the one that answers.
    Foreign,
    SchemaNotRead(FeedError),
    SchemaUnreadable(Box<dyn Error + Send + Sync>),
    /// More relationships lead on than may be kept.
    StructureTooLarge,
}

impl Notice {
    /// The name under which it is counted.
    pub(crate) fn warning(&self) -> Warning {
        match self {
            Self::Ended { .. } => Warning::FeedEnded,
            Self::Lost(_) => Warning::FeedLost,
            Self::Foreign => Warning::ForeignFeed,
            Self::StructureTooLarge => Warning::FeedStructure,
            Self::SchemaNotRead(_) | Self::SchemaUnreadable(_) => Warning::FeedSchema,
        }
    }

    pub(crate) fn log(&self) {
        match self {
            Self::Ended { error, pause } => tracing::warn!(
                error = error as &dyn Error,
                ?pause,
                "the change feed ended: the layer does not see what others write until it is open again; check that the \
                 service has its feed switched on, and the credentials of the feed"
            ),
            Self::Lost(error) => tracing::warn!(
                error = error as &dyn Error,
                "the store no longer has the changes since the feed ended: the feed begins anew, and answers from before are \
                 served by their own revisions and ages alone"
            ),
            Self::Foreign => tracing::warn!(
                "the change feed is of another store than the one that answers, so it is not followed; point the feed of \
                 `follow` at the service behind this layer"
            ),
            Self::SchemaNotRead(error) => tracing::warn!(
                error = error as &dyn Error,
                "the schema could not be read: until it is, no answer is known to stay true; check the credentials of the feed"
            ),
            Self::StructureTooLarge => tracing::warn!(
                "more relationships lead on than `structure` allows, so they are not kept: more changes end answers than have \
                 to; raise `structure`, or set it to 0"
            ),
            Self::SchemaUnreadable(error) => tracing::warn!(
                error = &**error as &dyn Error,
                "the schema can't be understood: every change ends every answer; please report this as an issue"
            ),
        }
    }
}

/// What a layer has heard from change feeds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FeedStats {
    /// Feeds that are followed now.
    pub followed: u64,
    /// Feeds that are followed now and whose schema is known, so that answers can be known to stay true.
    pub ready: u64,
    /// How old an answer at the frontier would be, in seconds: by how much the feed lags, as far as the layer can see. `None`
    /// where no feed is followed, or nothing says so.
    pub lag_seconds: Option<f64>,
    /// Reported transactions.
    pub changes: u64,
    /// Reported transactions that had been reported before.
    pub repeated: u64,
    /// Reports of how far the feed is complete.
    pub checkpoints: u64,
    /// How often a feed was begun without a predecessor: at the start, after the store was replaced, and where changes were
    /// lost.
    pub begun: u64,
    /// How often a feed ended or did not open.
    pub ended: u64,
    /// Relationships that lead on, of the feeds whose structure is kept.
    pub structure: u64,
    /// Answers that were found to be still true at the frontier.
    pub extended: u64,
}

#[derive(Debug, Default)]
pub(crate) struct FeedCounters {
    changes: AtomicU64,
    repeated: AtomicU64,
    checkpoints: AtomicU64,
    begun: AtomicU64,
    ended: AtomicU64,
    extended: AtomicU64,
}

impl FeedCounters {
    pub(super) fn changed(&self) {
        self.changes.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn repeated(&self) {
        self.repeated.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn checkpoint(&self) {
        self.checkpoints.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn began(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn ended(&self) {
        self.ended.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn extended(&self) {
        self.extended.fetch_add(1, Ordering::Relaxed);
    }

    /// All that is counted here. What is followed at present is left at its default.
    pub(crate) fn read(&self) -> FeedStats {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        FeedStats {
            changes: of(&self.changes),
            repeated: of(&self.repeated),
            checkpoints: of(&self.checkpoints),
            begun: of(&self.begun),
            ended: of(&self.ended),
            extended: of(&self.extended),
            ..FeedStats::default()
        }
    }
}
