use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tokio::time::timeout;
use tower_service::Service;

use crate::changes::{Event, SchemaText};
use crate::layer::body::RequestBody;
use crate::layer::feed::calls::Calls;
use crate::layer::feed::messages::Messages;
use crate::layer::feed::promised::Promised;
use crate::layer::feed::timing::LONGEST_SILENCE;
use crate::protocol::{Checkpoints, FeedFailure, Protocol, Reported, Unreadable};
use crate::revision::Revision;
use crate::token::Zookie;
use crate::warnings::Warning;

/// A feed that is followed: it is opened as soon as its next events are wanted.
pub(super) struct Following<P, S, B, R> {
    calls: Calls<P, S, B>,
    messages: Option<Messages<R>>,
    checkpoints: Checkpoints,
    promised: Promised,
    /// Where to open it again.
    reached: Option<Revision>,
    /// It was opened after this revision, and it is not certain that the store had all changes since.
    unchecked: Option<Zookie>,
    /// Changes of the schema are reported.
    has_schema: bool,
}

/// A feed that has begun.
pub(super) struct Begun {
    /// Every change after this revision will be reported.
    pub(super) start: Revision,
    pub(super) schema: Option<SchemaText>,
    /// What was reported so far.
    pub(super) events: Vec<Event>,
}

impl<P, S, B, R> Following<P, S, B, R>
where
    P: Protocol,
    S: Service<Request<B>, Response = Response<R>>,
    B: RequestBody,
    R: Body<Data = Bytes>,
{
    pub(super) fn new(calls: Calls<P, S, B>) -> Result<Self, FeedFailure> {
        let checkpoints = calls.source.api()?.checkpoints();
        Ok(Self {
            calls,
            messages: None,
            checkpoints,
            promised: Promised::new(checkpoints),
            reached: None,
            unchecked: None,
            has_schema: true,
        })
    }

    /// Begins at the store's head, or where that can't be asked for at the first change.
    pub(super) async fn begin(&mut self) -> Result<Begun, FeedFailure> {
        if let Some(schema) = self.schema().await? {
            self.start(schema.at.clone());
            return Ok(Begun {
                start: schema.at.clone(),
                schema: Some(schema),
                events: Vec::new(),
            });
        }
        loop {
            let events = self.next().await?;
            if let Some(first) = events.first() {
                return Ok(Begun {
                    start: first.at().clone(),
                    schema: None,
                    events,
                });
            }
        }
    }

    /// Goes on at a revision through which every change was reported.
    pub(super) async fn resume(&mut self, at: Revision) -> Result<Begun, FeedFailure> {
        self.start(self.calls.source.resume(at.clone()));
        Ok(Begun {
            start: at,
            schema: self.schema().await?,
            events: Vec::new(),
        })
    }

    fn start(&mut self, at: Revision) {
        self.promised.begin(at.clone());
        self.reached = Some(at);
    }

    /// The schema at the store's head, if it can be read. This also shows that the store is there, and what its feed reports.
    async fn schema(&mut self) -> Result<Option<SchemaText>, FeedFailure> {
        let Some((schema, read)) = self.calls.schema().await? else {
            return Ok(None);
        };
        self.has_schema = read.is_followed;
        if !self.has_schema {
            self.calls.source.layer.warn(Warning::FeedWithoutSchema.name(), || {
                tracing::warn!(
                    "the change feed does not report changes of the schema: no answer is extended; SpiceDB reports them with \
                     any `--experimental-schema-mode` that still writes the old tables"
                );
            });
        }
        self.in_same_store(&schema.at)?;
        let is_behind = |reached: &Revision| !schema.at.is_at_or_after(reached);
        if self.checkpoints != Checkpoints::Nothing && self.reached.as_ref().is_some_and(is_behind) {
            return Err(FeedFailure::lost(
                "the store is behind what it had reported, as after a restore",
            ));
        }
        Ok(Some(schema))
    }

    fn in_same_store(&self, at: &Revision) -> Result<(), FeedFailure> {
        match &self.reached {
            Some(reached) if reached.store() != at.store() => Err(FeedFailure::lost("the store was replaced")),
            _ => Ok(()),
        }
    }

    /// The next events: never none.
    pub(super) async fn next(&mut self) -> Result<Vec<Event>, FeedFailure> {
        loop {
            // Go's servers send the head of a stream with its first message.
            let message = match timeout(LONGEST_SILENCE, self.message()).await {
                Ok(message) => message?,
                Err(_) => {
                    tracing::debug!("the change feed was silent: it is opened again");
                    self.messages = None;
                    self.schema().await?;
                    continue;
                }
            };
            let Some(message) = message else {
                return Err(FeedFailure::interrupted("the upstream ended it"));
            };
            let events = self.events(&message)?;
            if !events.is_empty() {
                self.check().await?;
                return Ok(events);
            }
        }
    }

    async fn message(&mut self) -> Result<Option<Bytes>, FeedFailure> {
        if self.messages.is_none() {
            let after = self
                .reached
                .as_ref()
                .and_then(|reached| self.calls.source.spell(reached));
            let asked = self.calls.source.api()?.open(&self.calls.source.tenant, after.as_ref());
            let asked = asked.ok_or(FeedFailure::interrupted(
                "the feed can't be asked for: check its tenant",
            ))?;
            self.unchecked = after;
            self.messages = Some(self.calls.stream(asked).await?);
        }
        match &mut self.messages {
            Some(messages) => messages.next(&self.calls.source).await,
            None => Ok(None),
        }
    }

    /// A store that has collected changes after the revision may report what it still has. What was read before this
    /// succeeded is complete.
    async fn check(&mut self) -> Result<(), FeedFailure> {
        let Some(after) = self
            .unchecked
            .take()
            .filter(|_| self.checkpoints != Checkpoints::Nothing)
        else {
            return Ok(());
        };
        match self.calls.source.api()?.check(&self.calls.source.tenant, &after) {
            Some(asked) => self.calls.whole(asked, |api, reply| api.ended(reply)).await,
            None => Ok(()),
        }
    }

    fn events(&mut self, message: &[u8]) -> Result<Vec<Event>, FeedFailure> {
        let reports = self.calls.source.api()?.reports(message)?;
        let mut events = Vec::with_capacity(reports.len());
        for report in reports {
            let at = self.calls.source.read(&report.token)?;
            self.in_same_store(&at)?;
            if self.checkpoints == Checkpoints::Nothing {
                self.calls.source.note_reported(&at);
                self.reached = Some(at.clone());
            }
            events.extend(match report.what {
                Reported::Changed(changes) => Some(Event::Changed { at, changes }),
                Reported::SchemaChanged => Some(Event::SchemaChanged { at }),
                Reported::Anything(why) => {
                    if let Some(why) = why {
                        self.warn_of_unread(why);
                    }
                    Some(Event::AnythingChanged { at })
                }
                Reported::Checkpoint => self.checkpoint(at),
            });
        }
        Ok(events)
    }

    fn checkpoint(&mut self, at: Revision) -> Option<Event> {
        let at = self.promised.checkpoint(at).filter(|_| self.has_schema)?;
        let joined = self.reached.as_ref().and_then(|reached| reached.join(&at));
        self.reached = Some(joined.unwrap_or_else(|| at.clone()));
        Some(Event::Checkpoint { at })
    }

    fn warn_of_unread(&self, Unreadable(why): Unreadable) {
        self.calls.source.layer.warn(Warning::FeedUnread.name(), || {
            tracing::warn!(
                why,
                "the change feed reports something that can't be read: it counts as a change of everything; update \
                 tower-zookie if the service is newer"
            );
        });
    }
}
