//! What a store and a node of a group have in common: versioned relationships, and those who wait for them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use crate::store::changes::Changes;
use crate::store::check::{Evaluation, Question, UNKNOWN_RESOURCE, UNKNOWN_SUBJECT, Unsolved};
use crate::store::clock::{At, NodeIndex};
use crate::store::error::CheckError;
use crate::store::objects::SubjectKey;
use crate::store::relationship::{ObjectRef, SubjectRef};
use crate::store::rules::Symbol;
use crate::store::settings::Settings;
use crate::store::state::State;

/// The most revisions that one write collects, so that a write after a long pause is not slow.
const COLLECTED_PER_WRITE: usize = 64;

#[derive(Debug)]
pub(super) struct Replica {
    node: Arc<str>,
    /// The end of the ids of all nodes of the group; `None` where the store is alone.
    group: Option<Arc<str>>,
    created: Instant,
    settings: Settings,
    state: Arc<RwLock<State>>,
    /// The current revision.
    head: watch::Sender<u64>,
    waiting: Mutex<Waiting>,
    /// By node: how far the tokens of reads and writes lay behind.
    token_lag: Mutex<Vec<TokenLag>>,
}

/// How far tokens lay behind a node's writes when they came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TokenLag {
    /// How many tokens came.
    pub tokens: u64,
    /// By how many writes they lay behind, all together.
    pub sum: u64,
    /// By how many writes the oldest one lay behind.
    pub most: u64,
}

/// Those who wait for a node's write, or for the first write of a node that is not known yet.
#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    calls: BTreeMap<(Awaited, u64), oneshot::Sender<()>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Awaited {
    Write { node: NodeIndex, number: u64 },
    NewNode,
}

/// A place among those who wait, until this is dropped.
pub(super) struct Place<'a> {
    replica: &'a Replica,
    key: (Awaited, u64),
    woken: oneshot::Receiver<()>,
}

impl Replica {
    pub(super) fn new(node: Arc<str>, group: Option<Arc<str>>, settings: Settings) -> Self {
        let created = Instant::now();
        let state = State::new(node.clone(), group.is_some(), created);
        Self {
            node,
            group,
            created,
            settings,
            head: watch::Sender::new(state.head()),
            state: Arc::new(RwLock::new(state)),
            waiting: Mutex::default(),
            token_lag: Mutex::default(),
        }
    }

    /// Takes note of how far a token lies behind what is here.
    pub(super) fn note_lag(&self, token: At<'_>, here: At<'_>) {
        let mut lags = self.token_lag();
        let nodes = lags.len().max(here.0.len());
        lags.resize(nodes, TokenLag::default());
        for ((node, number), lag) in (0..).zip(here.0).zip(&mut *lags) {
            let behind = number.saturating_sub(token.of(node));
            lag.tokens += 1;
            lag.sum = lag.sum.saturating_add(behind);
            lag.most = lag.most.max(behind);
        }
    }

    /// How far tokens lay behind a node's writes.
    pub(super) fn lag_of_tokens(&self, node: NodeIndex) -> TokenLag {
        self.token_lag().get(usize::from(node)).copied().unwrap_or_default()
    }

    fn token_lag(&self) -> MutexGuard<'_, Vec<TokenLag>> {
        self.token_lag.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn node(&self) -> &Arc<str> {
        &self.node
    }

    /// Whether a node of this id belongs to the store's group.
    pub(super) fn is_of_group(&self, node: &str) -> bool {
        match &self.group {
            None => *node == *self.node,
            Some(group) => node.ends_with(&**group),
        }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn current_revision(&self) -> u64 {
        self.reading().head()
    }

    pub(super) fn check(
        &self,
        resource: &ObjectRef,
        permission: &str,
        subject: &SubjectRef,
        at: At<'_>,
    ) -> Result<bool, CheckError> {
        for object in [resource, subject.object_ref()] {
            if object.is_wildcard() {
                let object = object.to_string();
                return Err(CheckError::Wildcard { object });
            }
        }
        let state = self.reading();
        let rules = state.rules_at(at)?;
        let symbols = &state.symbols;
        let resource_type = rules.known_type(symbols, resource.object_type())?;
        let (permission_symbol, _) = rules.known_member(symbols, resource.object_type(), permission)?;
        let subject_object = subject.object_ref();
        rules.known_type(symbols, subject_object.object_type())?;
        let relation = match subject.relation() {
            Some(relation) => rules.known_member(symbols, subject_object.object_type(), relation)?.0,
            None => Symbol::NONE,
        };
        let resource_number = state.objects.find(resource).unwrap_or(UNKNOWN_RESOURCE);
        let subject_number = match state.objects.find(subject_object) {
            Some(number) => number,
            None if subject_object == resource => resource_number,
            None => UNKNOWN_SUBJECT,
        };
        let wildcard = match subject.relation() {
            Some(_) => None,
            None => state.objects.find(&subject_object.wildcard_of()),
        };
        let question = Question {
            resource: resource_number,
            resource_type,
            permission: permission_symbol,
            subject: SubjectKey {
                relation,
                object: subject_number,
            },
            wildcard: wildcard.map(|object| SubjectKey { relation, object }),
        };
        let max = self.settings.max_check_steps;
        Evaluation::new(&state, &rules, at, question, max)
            .solve()
            .map_err(|unsolved| match unsolved {
                Unsolved::TooManySteps => CheckError::TooComplex { max },
                Unsolved::ExclusionCycle => CheckError::ExclusionCycle {
                    resource: resource.to_string(),
                    permission: permission.to_owned(),
                },
            })
    }

    pub(super) fn watch(&self, after: u64) -> Changes {
        Changes::new(self.state.clone(), self.head.subscribe(), after)
    }

    /// See [`Store::quantized_revision`](crate::store::Store::quantized_revision).
    pub(super) fn quantized_revision(&self, interval: Duration) -> u64 {
        let state = self.reading();
        if interval.is_zero() {
            return state.head();
        }
        let now = Instant::now();
        let into_window = now.duration_since(self.created).as_nanos() % interval.as_nanos();
        let into_window = Duration::from_nanos(u64::try_from(into_window).unwrap_or(u64::MAX));
        let then = state.revision_at(now.checked_sub(into_window).unwrap_or(self.created));
        then.max(state.served_from())
    }

    pub(super) fn collect_old(&self, state: &mut State, now: Instant) {
        let by_count = (state.head() + 1).saturating_sub(self.settings.max_revisions);
        let by_age = match now.checked_sub(self.settings.gc_window) {
            Some(instant) => state.revision_at(instant),
            None => 0,
        };
        state.collect(by_count.max(by_age), COLLECTED_PER_WRITE);
    }

    /// Changes the state, and wakes those who waited for what is visible since.
    pub(super) fn change<R>(&self, work: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.writing();
        let known = state.nodes.len();
        let before = state.clock().0.to_vec();
        let result = work(&mut state);
        let met = state.nodes.len() > known;
        let reached: Vec<(NodeIndex, u64)> = (0..)
            .zip(state.clock().0)
            .filter(|(node, number)| At(&before).of(*node) < **number)
            .map(|(node, number)| (node, *number))
            .collect();
        let revision = state.head();
        drop(state);
        self.head.send_if_modified(|head| {
            // Two writers may come here in either order.
            let newer = revision > *head;
            if newer {
                *head = revision;
            }
            newer
        });
        if met || !reached.is_empty() {
            self.wake(met, &reached);
        }
        result
    }

    fn wake(&self, met: bool, reached: &[(NodeIndex, u64)]) {
        let mut waiting = self.waiting();
        for (node, number) in reached {
            let (node, number) = (*node, *number);
            let from = (Awaited::Write { node, number: 0 }, 0);
            let to = (Awaited::Write { node, number }, u64::MAX);
            while let Some(key) = waiting.calls.range(from..=to).next().map(|(key, _)| *key) {
                if let Some(call) = waiting.calls.remove(&key) {
                    // Who has left needs no call.
                    let _ = call.send(());
                }
            }
        }
        if met {
            waiting.calls.split_off(&(Awaited::NewNode, 0));
        }
    }

    /// A place among those who wait. The caller holds the state's lock, so that no write comes between its look at the state
    /// and this.
    pub(super) fn enter(&self, _state: &State, awaited: Awaited) -> Place<'_> {
        let mut waiting = self.waiting();
        let key = (awaited, waiting.next);
        waiting.next += 1;
        let (call, woken) = oneshot::channel();
        waiting.calls.insert(key, call);
        Place {
            replica: self,
            key,
            woken,
        }
    }

    // It is safe to ignore poisoning: nothing between a write's first and last change can panic.
    pub(super) fn reading(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn writing(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// Waits until it is called.
    pub(super) async fn woken(&mut self) {
        // An error is a call, too: the sender is dropped.
        let _ = (&mut self.woken).await;
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.replica.waiting().calls.remove(&self.key);
    }
}
