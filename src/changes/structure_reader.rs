use std::pin::Pin;
use std::sync::Arc;

use crate::changes::era::Era;
use crate::changes::feed::{ChangeFeed, FeedError, TupleFilter};
use crate::changes::relevance::Structure;
use crate::changes::state::Notice;
use crate::revision::Revision;

type Reading<'a> = Pin<Box<dyn Future<Output = Result<Read, FeedError>> + Send + 'a>>;

/// How the reading of a structure ended.
enum Read {
    Whole,
    /// It is more than the limit.
    TooMuch,
    /// The feed can't be asked for relationships.
    Never,
}

/// Reads the relationships that lead on, once the schema is known, at exactly the frontier. What changes meanwhile, the era
/// applies.
pub(super) struct StructureReader<'a, F> {
    feed: &'a F,
    notify: &'a (dyn Fn(Notice) + Send + Sync),
    /// How many relationships it may have; 0 for no structure.
    limit: usize,
    reading: Option<(Arc<Structure>, Reading<'a>)>,
    /// The next attempt comes after a pause.
    pauses: bool,
}

impl<'a, F: ChangeFeed> StructureReader<'a, F> {
    pub(super) fn new(feed: &'a F, notify: &'a (dyn Fn(Notice) + Send + Sync), limit: usize) -> Self {
        Self {
            feed,
            notify,
            limit,
            reading: None,
            pauses: false,
        }
    }

    /// Reads a structure where one is wanted, and otherwise waits for ever. It may be dropped at any time.
    pub(super) async fn read(&mut self, era: &Era) {
        if self.reading.is_none() && self.limit > 0 && !self.pauses {
            let begun = era.begin_structure(self.limit);
            self.reading = begun.map(|(structure, at)| {
                let reading = read(self.feed, Arc::clone(&structure), at, self.limit);
                (structure, Box::pin(reading) as Reading<'a>)
            });
        }
        let Some((structure, reading)) = &mut self.reading else {
            return std::future::pending().await;
        };
        let read = reading.as_mut().await;
        let structure = Arc::clone(structure);
        self.reading = None;
        match read {
            Ok(Read::Whole) => structure.loaded(),
            Ok(Read::TooMuch) => {
                self.limit = 0;
                (self.notify)(Notice::StructureTooLarge);
            }
            Ok(Read::Never) => self.limit = 0,
            Err(error) => {
                era.drop_structure(&structure);
                self.pauses = true;
                tracing::debug!(%error, "the relationships that lead on could not be read: they are read again");
            }
        }
    }

    pub(super) fn may_try_again(&mut self) {
        self.pauses = false;
    }
}

async fn read<F: ChangeFeed>(
    feed: &F,
    structure: Arc<Structure>,
    at: Revision,
    limit: usize,
) -> Result<Read, FeedError> {
    for wanted in structure.wanted() {
        let usersets = wanted.usersets.as_ref();
        let filter = TupleFilter {
            kind: &wanted.kind,
            relation: &wanted.relation,
            usersets: usersets.map(|(kind, relation)| (&**kind, &**relation)),
            limit: limit.saturating_add(1),
        };
        let Some(found) = feed.relationships(filter, &at).await? else {
            return Ok(Read::Never);
        };
        found.iter().for_each(|relationship| structure.load(relationship));
        if structure.is_full() {
            return Ok(Read::TooMuch);
        }
    }
    Ok(Read::Whole)
}
