use std::sync::Arc;

use crate::changes::era::{Era, InForce};
use crate::changes::feed::{ChangeFeed, FeedError, Pending, SchemaText};
use crate::changes::relevance::Rules;
use crate::changes::state::Notice;
use crate::revision::Revision;
use crate::schema::Schema;

/// Reads the schema each time that it changed, until the frontier shows that what was read is in force.
pub(super) struct SchemaReader<'a, F> {
    feed: &'a F,
    notify: &'a (dyn Fn(Notice) + Send + Sync),
    reading: Option<Pending<'a, Option<SchemaText>>>,
    read: Option<(InForce, Revision)>,
    /// The next attempt comes after a pause.
    pauses: bool,
}

impl<'a, F: ChangeFeed> SchemaReader<'a, F> {
    pub(super) fn new(feed: &'a F, notify: &'a (dyn Fn(Notice) + Send + Sync)) -> Self {
        Self {
            feed,
            notify,
            reading: None,
            read: None,
            pauses: false,
        }
    }

    /// A schema was read.
    pub(super) fn take(&mut self, schema: SchemaText) {
        let in_force = match Schema::read(&schema.text).map(|schema| Rules::new(&schema)) {
            Ok(rules) => InForce::Rules(Arc::new(rules)),
            Err(error) => {
                (self.notify)(Notice::SchemaUnreadable(error.into()));
                InForce::Unreadable
            }
        };
        self.read = Some((in_force, schema.at));
    }

    /// Reads the schema where it is wanted, and otherwise waits for ever. It may be dropped at any time.
    pub(super) async fn read(&mut self, era: &Era) {
        let is_wanted = matches!(era.in_force(), InForce::Unread) && self.read.is_none() && !self.pauses;
        if !is_wanted {
            return std::future::pending().await;
        }
        let feed = self.feed;
        let read = self.reading.get_or_insert_with(|| feed.schema()).await;
        self.reading = None;
        match read {
            Ok(Some(schema)) => self.take(schema),
            Ok(None) => era.has_no_schema(),
            Err(error) => self.failed(error),
        }
    }

    fn failed(&mut self, error: FeedError) {
        self.pauses = true;
        (self.notify)(Notice::SchemaNotRead(error));
    }

    pub(super) fn may_try_again(&mut self) {
        self.pauses = false;
    }

    /// Puts what was read in force where the frontier shows that it is. What was overtaken is read again.
    pub(super) fn adopt(&mut self, era: &Era) {
        let Some((schema, at)) = &self.read else { return };
        match era.adopt(schema, at) {
            None => {}
            Some(true) => self.read = None,
            Some(false) => {
                self.read = None;
                self.pauses = true;
            }
        }
    }
}
