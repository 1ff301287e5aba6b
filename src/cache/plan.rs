use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::cache::fetch::{Fetch, Questions};
use crate::cache::fingerprint::Fingerprint;
use crate::cache::read_at::ReadAt;
use crate::cache::weigh::Weigh;
use crate::cache::{DecisionCache, Inner};
use crate::changes::Examined;
use crate::consistency::{Floors, Freshness};
use crate::knowledge::{ProbeTurn, Probing, ReadMode};
use crate::revision::{Order, Revision};

/// How long a caller waits for a probe that another caller's request began.
const LONGEST_WAIT_FOR_A_PROBE: Duration = Duration::from_secs(2);

/// What to ask, and with whom to share it.
#[derive(Debug)]
pub(super) enum Plan {
    /// In a flight. If the store rejects `ask`, the flight asks `own` once, which is what the caller itself demands.
    Fly { ask: ReadAt, own: Option<ReadAt> },
    /// For the caller alone; `store`: its answer may be stored all the same.
    Alone { ask: ReadAt, store: bool },
    /// No one read covers all of the caller's floors.
    Apart,
}

impl Plan {
    fn fly(ask: ReadAt) -> Self {
        Self::Fly { ask, own: None }
    }

    fn alone(ask: ReadAt) -> Self {
        Self::Alone { ask, store: false }
    }
}

impl<V: Weigh> DecisionCache<V> {
    /// What to ask for a question that the cache could not answer.
    pub(super) async fn plan<U: Fetch<V>>(
        &self,
        questions: &Questions,
        freshness: &Freshness,
        arrived: Instant,
        upstream: &mut U,
    ) -> Plan {
        let floors = match freshness {
            // No other read keeps the caller's own bound.
            Freshness::Full
            | Freshness::AtLeast {
                head_within: Some(_), ..
            } => return Plan::fly(ReadAt::Head),
            Freshness::Exact(snapshot) => {
                if upstream.can_probe() && !self.0.knowledge.settles(snapshot) {
                    self.await_probe(upstream).await;
                }
                return self.plan_exact(snapshot);
            }
            Freshness::AtLeast { floors, .. } => floors,
        };
        if let Some(plan) = self.plan_at_frontier(questions, floors, arrived) {
            return plan;
        }
        match self.0.capabilities.read_mode {
            _ if floors.is_empty() => self.plan_without_floor(arrived),
            ReadMode::AtLeast | ReadMode::Current => self.plan_at_least(questions, freshness, floors, arrived),
            ReadMode::Exactly => match self.plan_exactly_at(floors, arrived) {
                Some(plan) => plan,
                None => {
                    if upstream.can_probe() {
                        self.await_probe(upstream).await;
                    }
                    let plan = self.plan_exactly_at(floors, Instant::now());
                    plan.unwrap_or_else(|| match floors.top() {
                        Some(top) => Plan::alone(ReadAt::Unmodified(top.revision.clone())),
                        None => Plan::Apart,
                    })
                }
            },
        }
    }

    /// Where a change ended the answer to one of the questions: at least the frontier of the feed, which sees the change.
    fn plan_at_frontier(&self, questions: &Questions, floors: &Floors, now: Instant) -> Option<Plan> {
        let knowledge = &self.0.knowledge;
        if !self.follows() || self.0.capabilities.read_mode == ReadMode::Exactly {
            return None;
        }
        let ended = |question: &Fingerprint| {
            let entry = self.0.newest.get(*question)?;
            (entry.examine(|| knowledge.history()) == Examined::Ended).then(|| entry.placed.clone())?
        };
        let frontier = questions.each().iter().find_map(ended)?.frontier();
        let covers = floors.iter().all(|floor| frontier >= floor.revision);
        let is_fresh = || knowledge.is_named_and_fresh(&frontier, now);
        (covers && is_fresh()).then(|| Plan::fly(ReadAt::AtLeast(frontier)))
    }

    fn plan_without_floor(&self, now: Instant) -> Plan {
        // Where such a read is head, the window's revision is what many can share.
        let shared = match self.0.capabilities.read_mode {
            ReadMode::Exactly => self.0.knowledge.shared(&Floors::none(), now),
            ReadMode::AtLeast | ReadMode::Current => None,
        };
        match shared {
            Some(shared) => Plan::Fly {
                ask: ReadAt::AtLeast(shared),
                own: Some(ReadAt::Any),
            },
            None => Plan::fly(ReadAt::Any),
        }
    }

    fn plan_exact(&self, snapshot: &Revision) -> Plan {
        let ask = ReadAt::Exact(snapshot.clone());
        let knowledge = &self.0.knowledge;
        if !self.0.capabilities.reads_repeat || !knowledge.settles(snapshot) {
            return Plan::alone(ask);
        }
        match knowledge.is_named(snapshot) {
            true => Plan::fly(ask),
            false => Plan::Alone { ask, store: true },
        }
    }

    fn plan_at_least(&self, questions: &Questions, freshness: &Freshness, floors: &Floors, now: Instant) -> Plan {
        let knowledge = &self.0.knowledge;
        let top = floors.top().map(|top| top.revision.clone());
        if let Some(shared) = knowledge.shared(floors, now) {
            let own = top
                .filter(|top| *top != shared)
                .map(|top| match knowledge.is_named(&top) {
                    true => ReadAt::AtLeast(top),
                    false => ReadAt::Unmodified(top),
                });
            let ask = ReadAt::AtLeast(shared);
            return Plan::Fly { ask, own };
        }
        let Some(top) = top else {
            return Plan::fly(ReadAt::Head);
        };
        // A store that answers at its own current revision, or not at all, can't give an old answer there.
        let is_current = || self.0.capabilities.read_mode == ReadMode::Current && knowledge.is_named(&top);
        if knowledge.is_named_and_fresh(&top, now) || is_current() {
            return Plan::fly(ReadAt::AtLeast(top));
        }
        // A head read of the question itself shows whether the store has come so far, where anything can show it.
        let can_show = self.0.capabilities.names_revisions && top.order() != Order::Equality;
        // A caller that joins a head read causes none.
        let joins = || self.0.flights.is_joinable(questions.flight, freshness, now);
        if can_show && (joins() || knowledge.may_read_head(questions.credential, now)) {
            Plan::fly(ReadAt::Head)
        } else {
            Plan::alone(ReadAt::Unmodified(top))
        }
    }

    /// What a store that reads at exactly the named revision is asked at: a fresh revision that it named itself.
    fn plan_exactly_at(&self, floors: &Floors, now: Instant) -> Option<Plan> {
        let ask = self.fresh_revision(floors, now)?;
        let own = floors.top().filter(|top| top.revision != ask);
        Some(Plan::Fly {
            ask: ReadAt::AtLeast(ask),
            own: own.map(|top| ReadAt::Unmodified(top.revision.clone())),
        })
    }

    fn fresh_revision(&self, floors: &Floors, now: Instant) -> Option<Revision> {
        let knowledge = &self.0.knowledge;
        let own = || {
            let top = &floors.top()?.revision;
            knowledge.is_named_and_fresh(top, now).then(|| top.clone())
        };
        let shared = knowledge.shared(floors, now).or_else(own);
        // The watermarks are thinned out, and of writes at once the one that covers most need not be the last.
        shared.or_else(|| knowledge.newest_covering(floors, now))
    }

    /// What to ask at for a read that names no revision itself, though its caller demands a floor, and that is never
    /// stored. `None` where no one read covers all floors.
    pub(crate) fn read_at_unstored(&self, freshness: &Freshness) -> Option<ReadAt> {
        let fresh = match (freshness, self.0.capabilities.read_mode) {
            (Freshness::AtLeast { floors, .. }, ReadMode::Exactly) if !floors.is_empty() => {
                self.fresh_revision(floors, Instant::now())
            }
            _ => None,
        };
        match fresh {
            Some(fresh) => Some(ReadAt::AtLeast(fresh)),
            None => ReadAt::unmodified(freshness),
        }
    }

    /// Probes for a fresh revision, or waits for a probe that is under way.
    async fn await_probe<U: Fetch<V>>(&self, upstream: &mut U) {
        match self.0.knowledge.probe(Instant::now()) {
            ProbeTurn::Lead(probing) => {
                let mut ended = probing.ended();
                tokio::spawn(probe(Arc::clone(&self.0), probing, upstream.clone()));
                let _ = ended.wait_for(|ended| *ended).await;
            }
            ProbeTurn::Wait(mut ended) => {
                if let Some(_seat) = self.0.flights.take_seat() {
                    let _ = timeout(LONGEST_WAIT_FOR_A_PROBE, ended.wait_for(|ended| *ended)).await;
                }
            }
            ProbeTurn::TooSoon => {}
        }
    }
}

/// The task of a probe: it goes on for those who wait when the caller that began it leaves.
async fn probe<V: Weigh, U: Fetch<V>>(cache: Arc<Inner<V>>, mut probing: Probing, upstream: U) {
    let named = timeout(cache.settings.flight_timeout, cache.probe(upstream)).await == Ok(true);
    cache.counters.probed(named);
    if named {
        probing.succeeded();
    }
}
