//! The truth over time: the history of writes, and each question's decision at each revision.

use std::sync::{Arc, OnceLock};

use tokio::runtime::Builder;
use tokio_stream::StreamExt;
use tower_zookie::changes::{Change, ChangeFeed, Event, StoreFeed};
use tower_zookie::revision::{Counter, Revision};
use tower_zookie::store::{History, Store};
use tower_zookie::token::{CounterTokens, TokenFormat};

use crate::AnyError;
use crate::asked::Asked;
use crate::relevant::Relevant;

/// Milliseconds on a run's clock, which starts at 0. The history reaches back before it.
pub(crate) type Millis = i64;

/// A question, by its popularity rank.
pub(crate) type Question = u32;

/// One history on one clock.
#[derive(Clone)]
pub(crate) struct World {
    /// When each revision was committed.
    commits: Arc<[Millis]>,
    decisions: Arc<Decisions>,
}

impl World {
    /// `commits` ascend; their index is the revision.
    pub(crate) fn new(commits: Vec<Millis>, decisions: Arc<Decisions>) -> Self {
        assert!(commits.is_sorted() && !commits.is_empty(), "a history goes forward");
        Self {
            commits: commits.into(),
            decisions,
        }
    }

    /// The newest revision at an instant.
    pub(crate) fn head_at(&self, at: Millis) -> u64 {
        (self.commits.partition_point(|commit| *commit <= at).max(1) - 1) as u64
    }

    pub(crate) fn committed(&self, revision: u64) -> Millis {
        self.commits[revision as usize]
    }

    /// When a revision stopped being the newest, if it ever did.
    pub(crate) fn overtaken(&self, revision: u64) -> Option<Millis> {
        self.commits.get(revision as usize + 1).copied()
    }

    /// The writes from an instant on.
    pub(crate) fn writes_after(&self, at: Millis) -> impl Iterator<Item = (Millis, u64)> {
        let first = self.commits.partition_point(|commit| *commit <= at);
        (first..self.commits.len()).map(|revision| (self.commits[revision], revision as u64))
    }

    /// The recorded history behind this one.
    pub(crate) fn recorded(&self) -> &Recorded {
        self.decisions.known_recorded()
    }

    pub(crate) fn decision(&self, question: Question, revision: u64) -> bool {
        self.decisions.spans(question).decision(revision)
    }

    /// The revisions that change a question's decision.
    pub(crate) fn changes(&self, question: Question) -> &[u64] {
        self.decisions.changes(question)
    }

    /// The decision after the last of its changes that is seen.
    pub(crate) fn decision_seen(&self, question: Question, sees: impl Fn(u64) -> bool) -> bool {
        self.decisions.spans(question).decision_seen(sees)
    }

    /// The first revision after this one at which the question's decision is another.
    pub(crate) fn next_change(&self, question: Question, revision: u64) -> Option<u64> {
        self.decisions.spans(question).next_change(revision)
    }
}

/// Between which revisions a question's decision stays the same.
#[derive(Debug)]
pub(crate) struct Spans {
    first: bool,
    /// The revisions at which it changes, ascending.
    changes: Vec<u64>,
}

impl Spans {
    /// The decision is `first`, and the other one after each of the changes in turn.
    pub(crate) fn new(first: bool, changes: Vec<u64>) -> Self {
        Self { first, changes }
    }

    fn decision(&self, revision: u64) -> bool {
        let changed = self.changes.partition_point(|change| *change <= revision) % 2 == 1;
        self.first != changed
    }

    fn decision_seen(&self, sees: impl Fn(u64) -> bool) -> bool {
        let last = self.changes.iter().rposition(|change| sees(*change));
        self.first != last.is_some_and(|last| last % 2 == 0)
    }

    fn next_change(&self, revision: u64) -> Option<u64> {
        let later = self.changes.partition_point(|change| *change <= revision);
        self.changes.get(later).copied()
    }
}

/// The spans of all questions, each computed when it is first needed.
pub(crate) struct Decisions {
    spans: Vec<OnceLock<Spans>>,
    recorded: Option<Recorded>,
}

impl Decisions {
    pub(crate) fn known(spans: Vec<Spans>) -> Self {
        Self {
            spans: spans.into_iter().map(OnceLock::from).collect(),
            recorded: None,
        }
    }

    pub(crate) fn recorded(recorded: Recorded) -> Self {
        Self {
            spans: recorded.asked.iter().map(|_| OnceLock::new()).collect(),
            recorded: Some(recorded),
        }
    }

    /// The revisions at which a question's decision changes.
    pub(crate) fn changes(&self, question: Question) -> &[u64] {
        &self.spans(question).changes
    }

    fn spans(&self, question: Question) -> &Spans {
        let index = question as usize;
        self.spans[index].get_or_init(|| self.known_recorded().evaluate(index))
    }

    fn known_recorded(&self) -> &Recorded {
        let recorded = self.recorded.as_ref();
        recorded.expect("a world without a store knows all its spans, and has no feed")
    }
}

/// The recorded history in a store, and the questions about it.
pub(crate) struct Recorded {
    store: Arc<Store>,
    schema: String,
    asked: Arc<[Asked]>,
    relevant: Relevant,
    /// What each revision changed.
    changes: Vec<Vec<Change>>,
}

impl Recorded {
    /// Writes the whole history: its transaction number n, from 0, makes revision n + 2.
    pub(crate) fn new(history: &History, asked: Arc<[Asked]>) -> Result<Self, AnyError> {
        let store = Arc::new(Store::new(history.schema.clone()));
        for transaction in &history.transactions {
            store.load(transaction.clone())?;
        }
        let recorded = Self {
            relevant: Relevant::new(history),
            changes: changes(&store)?,
            store,
            schema: history.schema.source().to_owned(),
            asked,
        };
        recorded.verify();
        Ok(recorded)
    }

    pub(crate) fn schema(&self) -> &str {
        &self.schema
    }

    pub(crate) fn asked(&self, question: Question) -> &Asked {
        &self.asked[question as usize]
    }

    /// What a revision changed.
    pub(crate) fn changes(&self, revision: u64) -> &[Change] {
        &self.changes[revision as usize]
    }

    /// The feed of the whole history.
    pub(crate) fn feed(&self, revisions: CounterTokens) -> StoreFeed {
        StoreFeed::counted(Arc::clone(&self.store), revisions)
    }

    fn decision(&self, index: usize, revision: u64) -> bool {
        let Asked {
            resource,
            permission,
            subject,
        } = &self.asked[index];
        let checked = self.store.check(resource, permission, subject, revision);
        checked.expect("the schema knows what is asked, and the store retains all revisions")
    }

    fn evaluate(&self, index: usize) -> Spans {
        let first = self.decision(index, self.store.oldest_revision());
        let mut last = first;
        let changes = self.relevant.to(&self.asked[index]).into_iter().filter(|revision| {
            let now = self.decision(index, *revision);
            std::mem::replace(&mut last, now) != now
        });
        Spans::new(first, changes.collect())
    }

    /// Some questions at every revision, to be sure that nothing else can change them.
    fn verify(&self) {
        for index in (0..self.asked.len()).step_by(self.asked.len() / 30 + 1) {
            let spans = self.evaluate(index);
            for revision in self.store.oldest_revision()..=self.store.current_revision() {
                assert_eq!(
                    spans.decision(revision),
                    self.decision(index, revision),
                    "question {index}"
                );
            }
        }
    }
}

/// What each revision of the store changed, by its own feed.
fn changes(store: &Arc<Store>) -> Result<Vec<Vec<Change>>, AnyError> {
    let tokens = CounterTokens::new("hit_rate");
    let feed = StoreFeed::counted(Arc::clone(store), tokens.clone());
    let mut changes = vec![Vec::new(); store.current_revision() as usize + 1];
    let runtime = Builder::new_current_thread().build()?;
    runtime.block_on(async {
        let start = tokens.decode(&store.oldest_revision().to_string())?;
        let mut opened = feed.open(Some(&start)).await?;
        let head = tokens.decode(&store.current_revision().to_string())?;
        while let Some(event) = opened.events.next().await {
            match event? {
                Event::Changed { at, changes: of } => changes[number(&at)] = of,
                Event::Checkpoint { at } if at == head => break,
                _ => {}
            }
        }
        Ok(changes)
    })
}

fn number(revision: &Revision) -> usize {
    revision.point().map_or(0, |Counter(number)| *number as usize)
}
