//! The feed as the cache sees it. The steps of a case say when it looks for changes, what it sends, and when it breaks.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tower_zookie::changes::{
    Change, ChangeFeed, Effect, FeedError, Opened, Pending, SchemaText, StoreFeed, TupleFilter,
};
use tower_zookie::revision::Revision;
use tower_zookie::token::CounterTokens;

use crate::connection::Connection;
use crate::server::{Rejected, Server, Service};
use crate::store::Engine;

#[derive(Debug)]
pub(crate) struct Feed {
    service: Service,
    /// The embedded store's own feed.
    real: Option<StoreFeed>,
}

impl Feed {
    pub(crate) fn new(service: Service) -> Self {
        let real = {
            let server = service.lock();
            let counted = || StoreFeed::counted(server.store.real.clone(), CounterTokens::new("model"));
            (server.store.engine == Engine::Embedded).then(counted)
        };
        Self { service, real }
    }

    fn begin(&self) -> Result<Duration, FeedError> {
        let mut server = self.service.lock();
        if server.failures > 0 {
            server.failures -= 1;
            return Err(FeedError::interrupted(Rejected));
        }
        Ok(Duration::from_millis(server.delays.schema))
    }

    async fn opened(&self, from: Option<&Revision>) -> Result<Opened, FeedError> {
        sleep(self.begin()?).await;
        {
            let mut server = self.service.lock();
            if std::mem::take(&mut server.has_lost) && from.is_some() {
                return Err(FeedError::Lost(None));
            }
        }
        let (real, mut text) = match &self.real {
            Some(real) => {
                let opened = real.open(from).await?;
                (Some(opened.events), opened.schema)
            }
            None => (None, None),
        };
        let mut server = self.service.lock();
        let server = &mut *server;
        let head = server.store.head();
        let start = from.cloned().unwrap_or(head);
        server.named.insert(start.clone());
        if server.opens_with_schema {
            text.get_or_insert_with(|| schema(server));
        }
        let (to, events) = mpsc::unbounded_channel();
        server.connection = Some(Connection::new(start.clone(), real, to));
        let opened = Opened::new(start, UnboundedReceiverStream::new(events));
        Ok(match text {
            Some(text) => opened.with_schema(text),
            None => opened,
        })
    }
}

/// The schema at the head, or at one that another caller read before.
fn schema(server: &mut Server) -> SchemaText {
    let at = server.head();
    let schema = server.store.schema_at(&at);
    server.named.insert(at.clone());
    let text = server.store.plan.schema(schema).source().to_owned();
    SchemaText { text, at }
}

impl ChangeFeed for Feed {
    fn open<'a>(&'a self, from: Option<&'a Revision>) -> Pending<'a, Opened> {
        Box::pin(self.opened(from))
    }

    fn schema(&self) -> Pending<'_, Option<SchemaText>> {
        Box::pin(async move {
            let takes = self.begin()?;
            sleep(takes).await;
            let read = schema(&mut self.service.lock());
            sleep(takes).await;
            Ok(Some(read))
        })
    }

    fn relationships<'a>(&'a self, filter: TupleFilter<'a>, at: &'a Revision) -> Pending<'a, Option<Vec<Change>>> {
        Box::pin(async move {
            let takes = self.begin()?;
            sleep(takes).await;
            let found = match &self.real {
                Some(real) => real.relationships(filter, at).await?,
                None => Some(matching(&self.service.lock(), filter, at)),
            };
            sleep(takes).await;
            Ok(found)
        })
    }
}

fn matching(server: &Server, filter: TupleFilter<'_>, at: &Revision) -> Vec<Change> {
    let (plan, present) = (&server.store.plan, server.store.present(at));
    let there = (0..plan.count()).filter(|which| present >> which & 1 == 1);
    let changes = there.map(|which| plan.change(Effect::Added, which));
    let is_wanted = |change: &Change| {
        let subject = &change.subject;
        let is_userset = |(kind, relation): (&str, &str)| {
            *subject.object.kind == *kind && subject.relation.as_deref() == Some(relation)
        };
        *change.resource.kind == *filter.kind
            && *change.relation == *filter.relation
            && filter.usersets.is_none_or(is_userset)
    };
    changes.filter(is_wanted).take(filter.limit).collect()
}
