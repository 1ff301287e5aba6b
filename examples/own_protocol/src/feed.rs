use std::sync::Arc;

use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::{StreamExt, iter};
use tower_zookie::changes::{Change, Event, FeedError, Object, Opened, Question, StreamFeed, Subject};
use tower_zookie::revision::{Counter, Revision};
use tower_zookie::token::TokenFormat;

use crate::protocol::tokens;
use crate::store::{Grant, Store, Written};

/// How the service decides: a subject may do what it was granted. A right is an action and its resource.
const SCHEMA: &str = "definition subject {} definition right { relation granted: subject }";

/// The store's log as a change feed.
pub(crate) fn feed(store: Arc<Store>) -> StreamFeed {
    let open = move |from: Option<Revision>| {
        let from = from.map(|from| from.point().map_or(0, |Counter(number)| *number));
        let log = store.writes_after(from).ok_or(FeedError::Lost(None));
        async move {
            let (start, past, later) = log?;
            // A reader that is too slow reads the log again.
            let later = BroadcastStream::new(later).map(|written| written.map_err(FeedError::interrupted));
            let events = iter(past).map(Ok).chain(later).map(|written| event(&written?));
            Ok(Opened::new(revision(start)?, events))
        }
    };
    StreamFeed::new(open).in_order().fixed_schema(SCHEMA)
}

fn event(written: &Written) -> Result<Event, FeedError> {
    let (right, subject) = named(&written.grant);
    let change = match written.allowed {
        true => Change::added(right, "granted", subject),
        false => Change::removed(right, "granted", subject),
    };
    Ok(Event::Changed {
        at: revision(written.revision)?,
        changes: vec![change],
    })
}

/// What a check asks, in the words of the feed.
pub(crate) fn question(asked: &Grant) -> Question {
    let (right, subject) = named(asked);
    Question::new(right, "granted", subject)
}

/// The names are free, as long as questions and changes have the same ones.
fn named(grant: &Grant) -> (Object, Subject) {
    let right = Object::new("right", format!("{} {}", grant.action, grant.resource));
    (right, Subject::of(Object::new("subject", grant.subject.as_str())))
}

fn revision(number: u64) -> Result<Revision, FeedError> {
    tokens().decode(&number.to_string()).map_err(FeedError::interrupted)
}
