//! A feed that reports what the test says.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tower_zookie::cache::DecisionCache;
use tower_zookie::changes::{Change, ChangeFeed, Event, FeedError, Opened, Pending, SchemaText, TupleFilter};
use tower_zookie::revision::Revision;

use crate::support::at;

#[derive(Clone, Debug)]
pub(crate) struct Script(Arc<Mutex<State>>);

#[derive(Debug)]
pub(crate) struct State {
    /// Where a feed begins that is not resumed.
    pub(crate) head: Revision,
    /// The schema, and where it is read.
    pub(crate) schema: (String, Revision),
    /// The next attempt to resume the feed shows that changes are lost.
    pub(crate) has_lost: bool,
    pub(crate) is_complete: bool,
    /// The relationships that lead on. `None`: reading them does not end.
    pub(crate) relationships: Option<Vec<Change>>,
    /// Where it was opened.
    pub(crate) opened: Vec<Option<Revision>>,
    events: Option<mpsc::UnboundedSender<Result<Event, FeedError>>>,
}

impl Script {
    /// A feed of a store at revision 1 with this schema.
    pub(crate) fn new(schema: &str) -> Self {
        Self(Arc::new(Mutex::new(State {
            head: at(1),
            schema: (schema.to_owned(), at(1)),
            has_lost: false,
            is_complete: true,
            relationships: Some(Vec::new()),
            opened: Vec::new(),
            events: None,
        })))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(crate) fn follow(&self, cache: &DecisionCache<bool>) -> JoinHandle<Infallible> {
        let (cache, feed) = (cache.clone(), self.clone());
        tokio::spawn(async move { cache.follow(feed).await })
    }

    pub(crate) fn report(&self, event: Event) {
        let state = self.state();
        let events = state.events.as_ref().expect("the feed is open");
        events.send(Ok(event)).unwrap();
    }

    pub(crate) fn changed(&self, number: u64, change: Change) {
        let (at, changes) = (at(number), vec![change]);
        self.report(Event::Changed { at, changes });
    }

    pub(crate) fn checkpoint(&self, number: u64) {
        self.report(Event::Checkpoint { at: at(number) });
    }

    pub(crate) fn breaks(&self) {
        let events = self.state().events.take().expect("the feed is open");
        events.send(Err(FeedError::interrupted("it broke"))).unwrap();
    }
}

impl ChangeFeed for Script {
    fn is_complete(&self) -> bool {
        self.state().is_complete
    }

    fn open<'a>(&'a self, from: Option<&'a Revision>) -> Pending<'a, Opened> {
        let mut state = self.state();
        state.opened.push(from.cloned());
        if std::mem::take(&mut state.has_lost) {
            return Box::pin(async { Err(FeedError::Lost(None)) });
        }
        let (to, events) = mpsc::unbounded_channel();
        state.events = Some(to);
        let start = from.unwrap_or(&state.head).clone();
        Box::pin(async { Ok(Opened::new(start, UnboundedReceiverStream::new(events))) })
    }

    fn schema(&self) -> Pending<'_, Option<SchemaText>> {
        let (text, at) = self.state().schema.clone();
        Box::pin(async { Ok(Some(SchemaText { text, at })) })
    }

    fn relationships<'a>(&'a self, filter: TupleFilter<'a>, _: &'a Revision) -> Pending<'a, Option<Vec<Change>>> {
        let is_wanted = |change: &Change| *change.resource.kind == *filter.kind && *change.relation == *filter.relation;
        let found = self.state().relationships.clone();
        let found = found.map(|mut all| {
            all.retain(is_wanted);
            all
        });
        Box::pin(async {
            match found {
                Some(found) => Ok(Some(found)),
                None => std::future::pending().await,
            }
        })
    }
}
