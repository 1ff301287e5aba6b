use std::fmt;

use crate::changes::feed::{ChangeFeed, FeedError, Opened, Pending, SchemaText};
use crate::changes::in_order::InOrder;
use crate::revision::Revision;

type Open = Box<dyn Fn(Option<Revision>) -> Pending<'static, Opened> + Send + Sync>;
type ReadSchema = Box<dyn Fn() -> Pending<'static, Option<SchemaText>> + Send + Sync>;

/// The change feed of a service of your own, made from a function that opens a stream of events.
///
/// The function gets the revision after which the events begin, or `None` for the newest one. Where the service no longer has
/// all changes after that revision, it returns [`FeedError::Lost`].
///
/// ```
/// use tokio_stream::{Stream, StreamExt};
/// use tower_zookie::changes::{Change, Event, FeedError, Object, Opened, StreamFeed, Subject};
/// use tower_zookie::revision::Revision;
///
/// # struct Grant { revision: Revision, user: String, document: String }
/// /// The grants after a revision and all later ones, in order, and the revision after which they begin.
/// async fn grants(after: Option<Revision>) -> Result<(Revision, impl Stream<Item = Grant>), FeedError> {
///     # let revision = |number| Revision::new(tower_zookie::revision::StoreId::new(["a"]), tower_zookie::revision::Counter(number));
///     # let _ = after;
///     # Ok((revision(1), tokio_stream::iter([Grant { revision: revision(2), user: "u1".into(), document: "d1".into() }])))
/// }
///
/// let feed = StreamFeed::new(|after| async move {
///     let (start, grants) = grants(after).await?;
///     let events = grants.map(|grant| {
///         let (document, user) = (Object::new("document", grant.document), Object::new("user", grant.user));
///         let change = Change::added(document, "reader", Subject::of(user));
///         Ok(Event::Changed { at: grant.revision, changes: vec![change] })
///     });
///     Ok(Opened::new(start, events))
/// })
/// .in_order()
/// .fixed_schema("definition user {} definition document { relation reader: user }");
/// # use tower_zookie::changes::ChangeFeed;
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// #     let mut opened = feed.open(None).await.unwrap();
/// #     assert!(opened.schema.is_some());
/// #     assert!(matches!(opened.events.next().await, Some(Ok(Event::Changed { .. }))));
/// #     assert!(matches!(opened.events.next().await, Some(Ok(Event::Checkpoint { .. }))));
/// # });
/// ```
#[must_use]
pub struct StreamFeed {
    open: Open,
    schema: Schema,
    is_complete: bool,
    is_in_order: bool,
}

enum Schema {
    Unknown,
    Fixed(String),
    Read(ReadSchema),
}

impl StreamFeed {
    /// A feed that `open` opens. It is complete, and has no schema: every change concerns every question.
    pub fn new<F>(open: impl Fn(Option<Revision>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Opened, FeedError>> + Send + 'static,
    {
        Self {
            open: Box::new(move |from| Box::pin(open(from))),
            schema: Schema::Unknown,
            is_complete: true,
            is_in_order: false,
        }
    }

    /// Every revision is reported whole and in ascending order, so that each is a checkpoint too. Otherwise the stream has to
    /// report checkpoints.
    pub fn in_order(mut self) -> Self {
        self.is_in_order = true;
        self
    }

    /// The stream may leave changes out: it only names revisions and ends answers. See [`ChangeFeed::is_complete`].
    pub fn incomplete(mut self) -> Self {
        self.is_complete = false;
        self
    }

    /// The schema, in SpiceDB's language, of a service whose schema never changes.
    ///
    /// It says which changes concern which questions: how the service decides has to follow from it.
    pub fn fixed_schema(mut self, text: impl Into<String>) -> Self {
        self.schema = Schema::Fixed(text.into());
        self
    }

    /// Reads the schema from the service. See [`ChangeFeed::schema`]. The stream has to report each change of it.
    pub fn read_schema<F>(mut self, read: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Option<SchemaText>, FeedError>> + Send + 'static,
    {
        self.schema = Schema::Read(Box::new(move || Box::pin(read())));
        self
    }
}

impl ChangeFeed for StreamFeed {
    fn is_complete(&self) -> bool {
        self.is_complete
    }

    fn open<'a>(&'a self, from: Option<&'a Revision>) -> Pending<'a, Opened> {
        Box::pin(async move {
            let mut opened = (self.open)(from.cloned()).await?;
            if let Schema::Fixed(text) = &self.schema {
                opened.schema = Some(SchemaText {
                    text: text.clone(),
                    at: opened.start.clone(),
                });
            }
            if self.is_in_order {
                opened.events = Box::pin(InOrder::new(opened.events));
            }
            Ok(opened)
        })
    }

    fn schema(&self) -> Pending<'_, Option<SchemaText>> {
        match &self.schema {
            // A stream that reports a change of a fixed schema contradicts itself.
            Schema::Unknown | Schema::Fixed(_) => Box::pin(std::future::ready(Ok(None))),
            Schema::Read(read) => read(),
        }
    }
}

impl fmt::Debug for StreamFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamFeed")
            .field("is_complete", &self.is_complete)
            .field("is_in_order", &self.is_in_order)
            .finish_non_exhaustive()
    }
}
