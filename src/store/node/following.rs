use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_core::Stream;
use tokio::time::{Instant, sleep};

use crate::revision::VectorClock;
use crate::store::clock::{Clock, OWN, Stamp};
use crate::store::node::entry::{Body, Entry, Snapshot};
use crate::store::node::link::{Incoming, LinkError};
use crate::store::node::shared::{Shared, entry};
use crate::store::objects::Version;
use crate::store::schema::Schema;
use crate::store::state::{State, Taken, Written};

/// The first and the longest pause before the link is tried again.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How many entries may wait for those that they depend on. With more the logs are read again from where the node is.
const MOST_HELD: usize = 100_000;

pub(super) type Arriving = Pin<Box<dyn Stream<Item = Result<Incoming, LinkError>> + Send>>;

/// Applies what comes from the link.
#[derive(Debug)]
pub(super) struct Following {
    shared: Arc<Shared>,
    /// By node: entries that wait for others that they depend on, in order.
    held: HashMap<Arc<str>, VecDeque<Entry>>,
    held_count: usize,
    /// The node does not write yet, so that its own log is news, too.
    starting: bool,
}

/// What becomes of an entry.
enum Outcome {
    Applied,
    /// It was applied before.
    Known,
    /// Something that it depends on is missing.
    Early,
}

/// Why an entry can't be applied.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("an entry of node `{node}` was skipped: {number} came, and {expected} was expected")]
    Gap { node: Arc<str>, number: u64, expected: u64 },
    #[error("an entry is of node `{0}`, which is not of this group")]
    Foreign(Arc<str>),
    #[error("entry {number} of node `{node}` has a schema that can't be read")]
    Schema {
        node: Arc<str>,
        number: u64,
        source: crate::schema::error::SchemaError,
    },
    #[error("too many entries wait for others")]
    TooManyHeld,
    #[error("the group has too many nodes")]
    TooManyNodes,
}

pub(super) struct Pause(Duration);

impl Pause {
    pub(super) fn new() -> Self {
        Self(FIRST_PAUSE)
    }

    /// Whether nothing has failed before. Only the first failure is a warning: the others say no more.
    pub(super) fn is_first(&self) -> bool {
        self.0 == FIRST_PAUSE
    }

    pub(super) async fn wait(&mut self) {
        sleep(self.0).await;
        self.0 = (self.0 * 2).min(LONGEST_PAUSE);
    }
}

impl Following {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            held: HashMap::new(),
            held_count: 0,
            starting: true,
        }
    }

    /// Reads the logs up to their ends, and begins the own log if there is none.
    pub(super) async fn catch_up(&mut self, schema: &Schema) -> Result<Arriving, LinkError> {
        let mut incoming = self.reach_ends().await?;
        self.starting = false;
        let is_new = self.shared.replica.reading().clock().of(OWN) == 0;
        if is_new {
            self.join(schema).await?;
            // The other nodes may have forgotten deletions before they knew of this one. Now it sees all of those.
            incoming = self.reach_ends().await?;
        }
        Ok(incoming)
    }

    async fn reach_ends(&mut self) -> Result<Arriving, LinkError> {
        let mut pause = Pause::new();
        loop {
            match self.read_to_ends().await {
                Err(error) if !matches!(error, LinkError::Taken) => {
                    tracing::warn!(%error, source = error.source_text(), "the logs of the group can't be read yet");
                }
                reached => return reached,
            }
            pause.wait().await;
        }
    }

    async fn read_to_ends(&mut self) -> Result<Arriving, LinkError> {
        let (ends, mut incoming) = self.open().await?;
        while !self.has_reached(&ends) {
            match next(&mut incoming).await {
                Some(incoming) => self.take(incoming?)?,
                None => return Err(LinkError::unavailable("the link ended")),
            }
        }
        Ok(incoming)
    }

    /// Appends the first entry of this node.
    async fn join(&self, schema: &Schema) -> Result<(), LinkError> {
        let shared = &self.shared;
        let entry = shared.replica.change(|state| {
            let body = Body::Joined(schema.source().into());
            let commit = state.join_group(schema.clone(), Instant::now()).clone();
            entry(state, &commit, body)
        });
        let mut pause = Pause::new();
        loop {
            match shared.link.append(std::slice::from_ref(&entry)).await {
                Ok(()) => break,
                Err(error @ LinkError::Taken) => return Err(error),
                Err(error) => tracing::warn!(%error, source = error.source_text(), "the node can't begin its log yet"),
            }
            pause.wait().await;
        }
        shared.stored(entry.number);
        Ok(())
    }

    async fn open(&mut self) -> Result<(VectorClock, Arriving), LinkError> {
        self.held.clear();
        self.held_count = 0;
        let (node, after) = {
            let state = self.shared.replica.reading();
            (Arc::clone(state.nodes.own()), state.nodes.spell(state.clock()))
        };
        let opened = self.shared.link.open(&node, &after).await?;
        if let Some(snapshot) = opened.snapshot {
            self.take_over(snapshot).map_err(LinkError::unavailable)?;
        }
        let ends = opened.ends;
        self.shared.replica.change(|state| {
            for (node, number) in ends.iter() {
                if let Ok(index) = state.nodes.find_or_add(node) {
                    let mut heard = Clock::default();
                    heard.set(index, number);
                    state.hear_of(heard.at());
                }
            }
        });
        Ok((ends, opened.incoming))
    }

    fn has_reached(&self, ends: &VectorClock) -> bool {
        let state = self.shared.replica.reading();
        state.numbers_of(ends).is_ok_and(|ends| state.clock().covers(ends.at()))
    }

    /// Follows the link, and opens it again when it fails, until the node is dropped.
    pub(super) async fn run(mut self, incoming: Arriving) {
        let mut incoming = Some(incoming);
        let mut pause = Pause::new();
        loop {
            let failed = match incoming.take() {
                Some(incoming) => self.follow(incoming, &mut pause).await,
                None => match self.open().await {
                    Ok((_, opened)) => {
                        incoming = Some(opened);
                        continue;
                    }
                    Err(error) => error,
                },
            };
            if matches!(failed, LinkError::Taken) {
                self.shared.take_over_by_another();
                return;
            }
            if pause.is_first() {
                let source = failed.source_text();
                tracing::warn!(error = %failed, source, "the node does not hear of other nodes' writes for now");
            }
            pause.wait().await;
        }
    }

    async fn follow(&mut self, mut incoming: Arriving, pause: &mut Pause) -> LinkError {
        loop {
            let taken = match next(&mut incoming).await {
                Some(Ok(incoming)) => self.take(incoming),
                Some(Err(error)) => return error,
                None => return LinkError::unavailable("the link ended"),
            };
            match taken {
                Ok(()) => *pause = Pause::new(),
                Err(error) => return error,
            }
        }
    }

    fn take(&mut self, incoming: Incoming) -> Result<(), LinkError> {
        match incoming {
            Incoming::Entry(entry) => self.take_entry(entry),
            Incoming::Reached { node, clock } => {
                self.shared.replica.change(|state| {
                    if let (Some(node), Ok(reached)) = (state.nodes.find(&node), state.numbers_of(&clock)) {
                        state.note_reached(node, &reached);
                    }
                });
                Ok(())
            }
        }
    }

    fn take_entry(&mut self, entry: Entry) -> Result<(), LinkError> {
        let node = Arc::clone(&entry.node);
        if let Some(held) = self.held.get_mut(&node).filter(|held| !held.is_empty()) {
            let last = held.back().map_or(0, |last| last.number);
            if entry.number > last {
                expect(&entry, last)?;
                held.push_back(entry);
                self.held_count += 1;
            }
        } else {
            match self.apply(&entry)? {
                Outcome::Known => return Ok(()),
                Outcome::Early => {
                    self.held.entry(node).or_default().push_back(entry);
                    self.held_count += 1;
                }
                Outcome::Applied => self.release()?,
            }
        }
        match self.held_count > MOST_HELD {
            true => Err(LinkError::unavailable(Unusable::TooManyHeld)),
            false => Ok(()),
        }
    }

    /// Applies the entries that waited and wait no longer.
    fn release(&mut self) -> Result<(), LinkError> {
        if self.held_count == 0 {
            return Ok(());
        }
        let nodes: Vec<Arc<str>> = self.held.keys().cloned().collect();
        let mut progress = true;
        while std::mem::take(&mut progress) {
            for node in &nodes {
                while let Some(entry) = self.held.get_mut(node).and_then(VecDeque::pop_front) {
                    if let Outcome::Early = self.apply(&entry)? {
                        self.held.entry(Arc::clone(node)).or_default().push_front(entry);
                        break;
                    }
                    self.held_count -= 1;
                    progress = true;
                }
            }
        }
        self.held.retain(|_, held| !held.is_empty());
        Ok(())
    }

    fn apply(&self, entry: &Entry) -> Result<Outcome, LinkError> {
        let shared = &self.shared;
        if !shared.replica.is_of_group(&entry.node) {
            return Err(LinkError::unavailable(Unusable::Foreign(Arc::clone(&entry.node))));
        }
        let schema = match &entry.body {
            Body::Joined(text) | Body::Schema(text) => Some(Schema::parse(text).map_err(|source| {
                LinkError::unavailable(Unusable::Schema {
                    node: Arc::clone(&entry.node),
                    number: entry.number,
                    source,
                })
            })?),
            Body::Updates(_) => None,
        };
        let now = Instant::now();
        shared.replica.change(|state| {
            let outcome = apply(state, entry, schema, self.starting, now)?;
            if let Outcome::Applied = outcome {
                shared.replica.collect_old(state, now);
            }
            Ok(outcome)
        })
    }

    fn take_over(&self, snapshot: Snapshot) -> Result<(), Unusable> {
        self.shared.replica.change(|state| {
            let taken = read_snapshot(state, snapshot)?;
            state.take_over(taken, Instant::now());
            Ok(())
        })
    }
}

fn expect(entry: &Entry, before: u64) -> Result<(), LinkError> {
    let expected = before.saturating_add(1);
    match entry.number == expected {
        true => Ok(()),
        false => Err(LinkError::unavailable(Unusable::Gap {
            node: Arc::clone(&entry.node),
            number: entry.number,
            expected,
        })),
    }
}

fn apply(
    state: &mut State,
    entry: &Entry,
    schema: Option<Schema>,
    starting: bool,
    now: Instant,
) -> Result<Outcome, LinkError> {
    let index = state
        .nodes
        .find_or_add(&entry.node)
        .map_err(|_| LinkError::unavailable(Unusable::TooManyNodes))?;
    let before = state.clock().of(index);
    if entry.number <= before {
        return Ok(Outcome::Known);
    }
    expect(entry, before)?;
    if index == OWN && !starting {
        // The link delivers it before it has answered that it is stored.
        let own = state.pending_write(entry.number);
        let is_own = own.is_some_and(|own| own.stamp.time == entry.time);
        if !is_own {
            return Err(LinkError::Taken);
        }
        state.acknowledge(entry.number, now);
        return Ok(Outcome::Applied);
    }
    let stamp = Stamp {
        time: entry.time,
        number: entry.number,
        node: index,
    };
    let saw = match state.numbers_of(&entry.saw) {
        Ok(saw) if state.clock().covers(saw.at()) => saw,
        _ => return Ok(Outcome::Early),
    };
    let written = match (&entry.body, schema) {
        (Body::Updates(updates), _) => Written::Updates(updates),
        (_, Some(schema)) => Written::Schema(schema),
        (_, None) => return Ok(Outcome::Known),
    };
    state.apply(stamp, saw.at(), written, now);
    Ok(Outcome::Applied)
}

fn read_snapshot(state: &mut State, snapshot: Snapshot) -> Result<Taken, Unusable> {
    let Snapshot {
        clock: named,
        time,
        schemas,
        relationships,
    } = snapshot;
    let mut index = |node: &Arc<str>| state.nodes.find_or_add(node).map_err(|_| Unusable::TooManyNodes);
    let mut clock = Clock::default();
    for (node, number) in named.iter() {
        clock.set(index(&node.into())?, number);
    }
    let mut taken_schemas = Vec::with_capacity(schemas.len());
    for copy in schemas {
        let stamp = Stamp {
            time: copy.time,
            number: copy.number,
            node: index(&copy.node)?,
        };
        let schema = Schema::parse(&copy.text).map_err(|source| Unusable::Schema {
            node: copy.node,
            number: copy.number,
            source,
        })?;
        taken_schemas.push((stamp, schema));
    }
    let mut taken_relationships = Vec::with_capacity(relationships.len());
    for copy in relationships {
        let stamp = Stamp {
            time: copy.time,
            number: copy.number,
            node: index(&copy.node)?,
        };
        let exists = copy.exists;
        taken_relationships.push((copy.relationship, Version { stamp, exists }));
    }
    Ok(Taken {
        clock,
        time,
        schemas: taken_schemas,
        relationships: taken_relationships,
    })
}

async fn next(incoming: &mut Arriving) -> Option<Result<Incoming, LinkError>> {
    poll_fn(|context| incoming.as_mut().poll_next(context)).await
}
