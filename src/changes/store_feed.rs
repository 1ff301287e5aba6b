use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::changes::change::{Change, Effect, Object, Subject};
use crate::changes::feed::{ChangeFeed, Event, FeedError, Opened, Pending, SchemaText, TupleFilter};
use crate::changes::in_order::InOrder;
use crate::revision::{Counter, Revision, VectorClock};
use crate::store::node::Node;
use crate::store::{Changes, Filter, ObjectRef, Operation, QueryError, Relationship, Schema, Store, SubjectRef};
use crate::token::{CounterTokens, InferaDb, RevisionToken, TokenFormat};

/// The change feed of an embedded [`Store`], or of a [`Node`] of a group.
///
/// It reports every write as soon as the store's readers see it, and it is complete. It ends with [`FeedError::Lost`] if it
/// falls behind the store's log, whose length [`StoreBuilder`](crate::store::StoreBuilder) sets.
///
/// ```
/// use std::sync::Arc;
/// use tower_zookie::changes::{ChangeFeed, StoreFeed};
/// use tower_zookie::store::{Schema, Store};
/// use tower_zookie::token::InferaDb;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = Arc::new(Store::new(Schema::parse("definition user {} definition doc { relation reader: user }")?));
/// let feed = StoreFeed::new(store, InferaDb::new("documents")); // the format of the service's tokens
/// let opened = feed.open(None).await?;
/// # let _ = opened;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct StoreFeed(Source);

/// A store, and how the service in front of it spells its revisions.
#[derive(Clone, Debug)]
enum Source {
    Clock(Arc<Store>, InferaDb),
    Counter(Arc<Store>, CounterTokens),
    Node(Arc<Node>, InferaDb),
}

/// A revision that is not one of this store.
#[derive(Debug, thiserror::Error)]
#[error("the revision is not one of this store")]
struct Foreign;

/// A revision that the store no longer has.
#[derive(Debug, thiserror::Error)]
#[error("the store no longer has the revision")]
struct Gone;

impl StoreFeed {
    /// The feed of a store behind a service whose tokens are [`RevisionToken`]s of the store's node.
    pub fn new(store: Arc<Store>, tokens: InferaDb) -> Self {
        Self(Source::Clock(store, tokens))
    }

    /// The feed of a store behind a service whose tokens are the numbers of revisions.
    pub fn counted(store: Arc<Store>, tokens: CounterTokens) -> Self {
        Self(Source::Counter(store, tokens))
    }

    /// The feed of a node of a group: its own writes, and those of other nodes when they arrive. The format is
    /// [`InferaDb::cluster`].
    pub fn of_node(node: Arc<Node>, tokens: InferaDb) -> Self {
        Self(Source::Node(node, tokens))
    }

    fn opened(&self, from: Option<&Revision>) -> Result<Opened, FeedError> {
        let source = &self.0;
        let after = match from {
            None => source.current(),
            Some(from) => source.place(from).ok_or_else(|| lost(Foreign))?,
        };
        let start = source.revision(after)?;
        let schema = SchemaText {
            text: source.schema(&start)?.source().to_owned(),
            at: start.clone(),
        };
        let source = source.clone();
        let changes = source.watch(after);
        Ok(Opened::new(start, InOrder::new(Events { changes, source })).with_schema(schema))
    }

    fn schema_now(&self) -> Result<Option<SchemaText>, FeedError> {
        let at = self.0.revision(self.0.current())?;
        Ok(Some(SchemaText {
            text: self.0.schema(&at)?.source().to_owned(),
            at,
        }))
    }

    fn read(&self, filter: TupleFilter<'_>, at: &Revision) -> Result<Option<Vec<Change>>, FeedError> {
        let wanted = Filter::of_type(filter.kind).relation(filter.relation);
        let limit = if filter.usersets.is_some() {
            usize::MAX
        } else {
            filter.limit
        };
        let is_wanted = |made: &&Relationship| {
            let subject = made.subject();
            let of = (
                subject.object_ref().object_type(),
                subject.relation().unwrap_or_default(),
            );
            filter.usersets.is_none_or(|usersets| usersets == of)
        };
        match self.0.read(&wanted, at, limit)? {
            Ok(found) => {
                let wanted = found.iter().filter(is_wanted).take(filter.limit);
                Ok(Some(wanted.map(|made| change(Effect::Added, made)).collect()))
            }
            // A relation that the schema does not have has no relationships.
            Err(QueryError::UnknownName(_)) => Ok(Some(Vec::new())),
            Err(error) => Err(FeedError::interrupted(error)),
        }
    }
}

impl ChangeFeed for StoreFeed {
    fn open<'a>(&'a self, from: Option<&'a Revision>) -> Pending<'a, Opened> {
        Box::pin(std::future::ready(self.opened(from)))
    }

    fn schema(&self) -> Pending<'_, Option<SchemaText>> {
        Box::pin(std::future::ready(self.schema_now()))
    }

    fn relationships<'a>(&'a self, filter: TupleFilter<'a>, at: &'a Revision) -> Pending<'a, Option<Vec<Change>>> {
        Box::pin(std::future::ready(self.read(filter, at)))
    }
}

impl Source {
    /// The place of the newest change, in the order in which the store's readers see all changes.
    fn current(&self) -> u64 {
        match self {
            Self::Clock(store, _) | Self::Counter(store, _) => store.current_revision(),
            Self::Node(node, _) => node.current_revision(),
        }
    }

    fn watch(&self, after: u64) -> Changes {
        match self {
            Self::Clock(store, _) | Self::Counter(store, _) => store.watch(after),
            Self::Node(node, _) => node.watch(after),
        }
    }

    /// The revision at a place.
    fn revision(&self, place: u64) -> Result<Revision, FeedError> {
        let read = match self {
            Self::Clock(store, tokens) => tokens.decode(&RevisionToken::new(store.node_id(), place).encode()),
            Self::Counter(_, tokens) => tokens.decode(&place.to_string()),
            Self::Node(node, tokens) => {
                return node
                    .clock_at(place)
                    .map(|clock| tokens.revision(clock))
                    .ok_or_else(|| lost(Gone));
            }
        };
        read.map_err(FeedError::interrupted)
    }

    /// The place of a revision that the store had.
    fn place(&self, revision: &Revision) -> Option<u64> {
        let place = match self {
            Self::Clock(store, _) => revision.point::<VectorClock>()?.get(store.node_id()),
            Self::Counter(..) => revision.point::<Counter>()?.0,
            Self::Node(node, _) => node.revision_of(revision.point()?)?,
        };
        let ours = self.revision(place).is_ok_and(|same| same == *revision);
        ours.then_some(place)
    }

    fn schema(&self, at: &Revision) -> Result<Arc<Schema>, FeedError> {
        let schema = match self {
            Self::Clock(store, _) | Self::Counter(store, _) => {
                store.schema(self.place(at).ok_or_else(|| FeedError::interrupted(Foreign))?)
            }
            Self::Node(node, _) => node.schema(clock(at)?),
        };
        schema.map_err(lost)
    }

    fn read(
        &self,
        filter: &Filter,
        at: &Revision,
        limit: usize,
    ) -> Result<Result<Vec<Relationship>, QueryError>, FeedError> {
        Ok(match self {
            Self::Clock(store, _) | Self::Counter(store, _) => {
                let place = self.place(at).ok_or_else(|| FeedError::interrupted(Foreign))?;
                store.read_some(filter, place, limit)
            }
            Self::Node(node, _) => node.read_some(filter, clock(at)?, limit),
        })
    }
}

fn clock(at: &Revision) -> Result<&VectorClock, FeedError> {
    at.point().ok_or_else(|| FeedError::interrupted(Foreign))
}

/// The store's changes as events, one for each revision.
struct Events {
    changes: Changes,
    source: Source,
}

impl Events {
    fn event(&self, written: &crate::store::Change) -> Result<Event, FeedError> {
        let at = self.source.revision(written.revision())?;
        let changes: Vec<Change> = written.updates().iter().map(updated).collect();
        Ok(if written.wrote_schema() {
            Event::SchemaChanged { at }
        } else if changes.is_empty() {
            Event::Checkpoint { at }
        } else {
            Event::Changed { at, changes }
        })
    }
}

impl Stream for Events {
    type Item = Result<Event, FeedError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let next = Pin::new(&mut this.changes).poll_next(context);
        next.map(|written| Some(written?.map_err(lost).and_then(|written| this.event(&written))))
    }
}

fn lost(why: impl std::error::Error + Send + Sync + 'static) -> FeedError {
    FeedError::Lost(Some(Box::new(why)))
}

/// A touch of a relationship that existed already is reported too: it costs a miss at most.
fn updated(update: &crate::store::Update) -> Change {
    let effect = match update.operation {
        Operation::Create | Operation::Touch => Effect::Added,
        Operation::Delete => Effect::Removed,
    };
    change(effect, &update.relationship)
}

fn change(effect: Effect, relationship: &Relationship) -> Change {
    Change {
        effect,
        resource: object(relationship.resource()),
        relation: relationship.relation().into(),
        subject: subject(relationship.subject()),
    }
}

fn object(object: &ObjectRef) -> Object {
    Object::new(object.object_type(), object.id())
}

fn subject(subject: &SubjectRef) -> Subject {
    let object = object(subject.object_ref());
    match subject.relation() {
        Some(relation) => Subject::userset(object, relation),
        None => Subject::of(object),
    }
}
