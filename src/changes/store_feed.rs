use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::changes::change::{Change, Effect, Object, Subject};
use crate::changes::feed::{ChangeFeed, Event, FeedError, Opened, Pending, SchemaText, TupleFilter};
use crate::changes::in_order::InOrder;
use crate::revision::{Counter, Revision, VectorClock};
use crate::store::{Changes, Filter, ObjectRef, Operation, QueryError, Relationship, Store, SubjectRef};
use crate::token::{CounterTokens, InferaDb, RevisionToken, TokenFormat};

/// The change feed of an embedded [`Store`].
///
/// It reports every write as soon as it is made, and it is complete. It ends with [`FeedError::Lost`] if it falls behind the
/// store's log, whose length [`StoreBuilder`](crate::store::StoreBuilder) sets.
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
pub struct StoreFeed {
    store: Arc<Store>,
    tokens: Tokens,
}

/// How the service in front of the store spells its revisions.
#[derive(Clone, Debug)]
enum Tokens {
    Clock(InferaDb),
    Counter(CounterTokens),
}

/// A revision that is not one of this store.
#[derive(Debug, thiserror::Error)]
#[error("the revision is not one of this store")]
struct Foreign;

impl StoreFeed {
    /// The feed of a store behind a service whose tokens are [`RevisionToken`]s of the store's node.
    pub fn new(store: Arc<Store>, tokens: InferaDb) -> Self {
        let tokens = Tokens::Clock(tokens);
        Self { store, tokens }
    }

    /// The feed of a store behind a service whose tokens are the numbers of revisions.
    pub fn counted(store: Arc<Store>, tokens: CounterTokens) -> Self {
        let tokens = Tokens::Counter(tokens);
        Self { store, tokens }
    }

    fn spelling(&self) -> Spelling {
        Spelling {
            node: self.store.node_id().into(),
            tokens: self.tokens.clone(),
        }
    }

    fn opened(&self, from: Option<&Revision>) -> Result<Opened, FeedError> {
        let spelling = self.spelling();
        let after = match from {
            None => self.store.current_revision(),
            Some(from) => spelling.number(from).ok_or_else(|| lost(Foreign))?,
        };
        let schema = self.store.schema(after).map_err(lost)?;
        let start = spelling.revision(after)?;
        let schema = SchemaText {
            text: schema.source().to_owned(),
            at: start.clone(),
        };
        let changes = self.store.watch(after);
        Ok(Opened::new(start, InOrder::new(Events { changes, spelling })).with_schema(schema))
    }

    fn schema_now(&self) -> Result<Option<SchemaText>, FeedError> {
        let (schema, revision) = self.store.current_schema().map_err(FeedError::interrupted)?;
        Ok(Some(SchemaText {
            text: schema.source().to_owned(),
            at: self.spelling().revision(revision)?,
        }))
    }

    fn read(&self, filter: TupleFilter<'_>, at: &Revision) -> Result<Option<Vec<Change>>, FeedError> {
        let at = self
            .spelling()
            .number(at)
            .ok_or_else(|| FeedError::interrupted(Foreign))?;
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
        match self.store.read_some(&wanted, at, limit) {
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

/// The store's numbers as revisions, and back.
struct Spelling {
    node: Box<str>,
    tokens: Tokens,
}

impl Spelling {
    fn revision(&self, number: u64) -> Result<Revision, FeedError> {
        let read = match &self.tokens {
            Tokens::Clock(tokens) => tokens.decode(&RevisionToken::new(&*self.node, number).encode()),
            Tokens::Counter(tokens) => tokens.decode(&number.to_string()),
        };
        read.map_err(FeedError::interrupted)
    }

    fn number(&self, revision: &Revision) -> Option<u64> {
        let number = match &self.tokens {
            Tokens::Clock(_) => revision.point::<VectorClock>()?.get(&self.node),
            Tokens::Counter(_) => revision.point::<Counter>()?.0,
        };
        let ours = self.revision(number).is_ok_and(|same| same == *revision);
        ours.then_some(number)
    }
}

/// The store's changes as events, one for each revision.
struct Events {
    changes: Changes,
    spelling: Spelling,
}

impl Events {
    fn event(&self, written: &crate::store::Change) -> Result<Event, FeedError> {
        let at = self.spelling.revision(written.revision())?;
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
