//! What happens to a question that the cache could not answer at once.

use std::sync::Arc;

use tokio::time::{Instant, timeout};

use super::call::{Called, Purpose, Questions, Turn, Upstream};
use super::flights::{End, Entry, Flight, Landed, Lease, Reach, landed};
use super::plan::Plan;
use super::{DecisionCache, Inner, ReadAt, Weigh};
use crate::consistency::{Floors, Freshness};
use crate::revision::Revision;

/// How often a follower joins another flight after one that ended without an answer for it.
const MAX_ROUNDS: usize = 3;

/// How a request got its answer.
#[derive(Debug)]
pub(crate) enum Outcome<V> {
    /// From the cache, at a second look.
    Hit(Arc<Landed<V>>),
    /// From an upstream call of its own: the reply went straight to the caller. `None` where it held no answer.
    Asked(Option<Arc<Landed<V>>>),
    /// From another caller's upstream call.
    Joined(Arc<Landed<V>>),
    /// Another caller's upstream call failed.
    Failed,
    TimedOut,
    /// A floor belongs to another store.
    Foreign,
    /// The store answered at this revision, which does not cover the floors.
    Behind(Revision),
    /// No one read covers all floors.
    Apart,
}

/// What a request demands of its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demand<'a> {
    pub(crate) freshness: &'a Freshness,
    /// What the answer must cover, also where it is read at head.
    pub(crate) floors: &'a Floors,
    pub(crate) arrived: Instant,
}

impl<'a> Demand<'a> {
    pub(crate) fn new(freshness: &'a Freshness, floors: &'a Floors, arrived: Instant) -> Self {
        Self {
            freshness,
            floors,
            arrived,
        }
    }
}

impl<V: Weigh> DecisionCache<V> {
    /// Answers `questions`, asking the upstream where the cache can't.
    pub(crate) async fn run<F, Fut>(&self, questions: &Questions, demand: Demand<'_>, mut upstream: F) -> Outcome<V>
    where
        F: FnMut(Turn) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = Upstream<V>> + Send + 'static,
    {
        let outcome = self.answer(questions, demand, &mut upstream).await;
        let outcome = self.reach(questions, demand.floors, outcome, &mut upstream).await;
        // A default read has just shown all that another one would.
        let may_teach = matches!(&outcome, Outcome::Asked(Some(landed))
            if landed.ask != ReadAt::Any && landed.replied.is_some());
        if may_teach && self.wants_background_read(Instant::now()) {
            self.read_in_background(questions, upstream);
        }
        outcome
    }

    async fn answer<F, Fut>(&self, questions: &Questions, demand: Demand<'_>, upstream: &mut F) -> Outcome<V>
    where
        F: FnMut(Turn) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = Upstream<V>> + Send + 'static,
    {
        let Demand { freshness, arrived, .. } = demand;
        for round in 0..MAX_ROUNDS {
            if round > 0
                && let Some(found) = self.look_again(questions, freshness, arrived)
            {
                self.0.counters.coalesced(questions.each.len());
                return Outcome::Hit(found);
            }
            let (ask, own) = match self.plan(questions, freshness, arrived, upstream).await {
                Plan::Apart => return Outcome::Apart,
                Plan::Alone { ask, keep } => return self.alone(questions, ask, keep, upstream).await,
                Plan::Fly { ask, own } => (ask, own),
            };
            let wanted = (freshness, arrived, &self.0.settings.window);
            let flights = &self.0.flights;
            match flights.enter(questions.flight, questions.credential, ask.clone(), wanted) {
                Entry::Lead(lease) => return self.take_off(questions, lease, own, upstream.clone()).await,
                Entry::Crowded => return self.alone(questions, own.unwrap_or(ask), false, upstream).await,
                Entry::Follow(follower) => match follower.wait().await {
                    End::Answered(landed) if self.may_take(&landed, freshness, arrived, questions) => {
                        self.0.counters.coalesced(questions.each.len());
                        return Outcome::Joined(landed);
                    }
                    End::Failed => return Outcome::Failed,
                    // The next leader's reply could be shared as little as this one.
                    End::Unshared => break,
                    End::Answered(landed) if !landed.shared && self.is_of_this_epoch(&landed) => break,
                    End::Answered(_) | End::TimedOut => {}
                },
            }
        }
        match ReadAt::unmodified(freshness) {
            Some(ask) => self.alone(questions, ask, false, upstream).await,
            None => Outcome::Apart,
        }
    }

    /// Compares a reply's revision with the floors. A head that lacks one is read once more: a store may tell all who ask
    /// for its head at once what it told the first.
    async fn reach<F, Fut>(
        &self,
        questions: &Questions,
        floors: &Floors,
        mut outcome: Outcome<V>,
        upstream: &mut F,
    ) -> Outcome<V>
    where
        F: FnMut(Turn) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = Upstream<V>> + Send + 'static,
    {
        let mut read_again = false;
        loop {
            let (Outcome::Asked(Some(landed)) | Outcome::Joined(landed)) = &outcome else {
                return outcome;
            };
            let unmodified = matches!(landed.ask, ReadAt::Unmodified(_));
            match (landed.reach(floors), &landed.ask, floors.top()) {
                (Reach::Covers, ..) => return outcome,
                (Reach::Foreign, ..) if unmodified => return outcome,
                (Reach::Foreign, ..) => return Outcome::Foreign,
                (Reach::Behind, ReadAt::Head, Some(top)) if self.0.capabilities.head_may_trail_reads => {
                    let ask = ReadAt::Unmodified(top.revision.clone());
                    outcome = self.alone(questions, ask, false, upstream).await;
                }
                (Reach::Behind, ReadAt::Head, _) if !read_again => {
                    read_again = true;
                    outcome = match self
                        .0
                        .flights
                        .lead(questions.flight, questions.credential, ReadAt::Head)
                    {
                        Entry::Lead(lease) => self.take_off(questions, lease, None, upstream.clone()).await,
                        _ => self.alone(questions, ReadAt::Head, false, upstream).await,
                    };
                }
                (Reach::Behind, ..) => {
                    return match &landed.replied {
                        Some(replied) => Outcome::Behind(replied.clone()),
                        None => outcome,
                    };
                }
            }
        }
    }

    /// Asks what the caller itself demands, for the upstream to judge.
    pub(crate) async fn ask_unmodified<F, Fut>(
        &self,
        questions: &Questions,
        ask: ReadAt,
        floors: &Floors,
        mut upstream: F,
    ) -> Outcome<V>
    where
        F: FnMut(Turn) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = Upstream<V>> + Send + 'static,
    {
        let outcome = self.alone(questions, ask, false, &mut upstream).await;
        self.reach(questions, floors, outcome, &mut upstream).await
    }

    /// Asks in the caller's own task: no one joins the call. `keep`: the answer may be stored.
    async fn alone<F, Fut>(&self, questions: &Questions, ask: ReadAt, keep: bool, upstream: &mut F) -> Outcome<V>
    where
        F: FnMut(Turn) -> Fut,
        Fut: Future<Output = Upstream<V>>,
    {
        let flight = Flight::new(ask.clone());
        let call = self.0.call(questions, &flight, ask, Purpose::Answer, upstream, keep);
        match timeout(self.0.settings.flight_timeout, call).await.map(Called::end) {
            Ok(End::Answered(landed)) => Outcome::Asked(Some(landed)),
            Ok(_) => Outcome::Asked(None),
            Err(_) => Outcome::TimedOut,
        }
    }

    /// Leads a flight: a task of its own, which goes on when the caller leaves.
    async fn take_off<F, Fut>(
        &self,
        questions: &Questions,
        lease: Lease<V>,
        own: Option<ReadAt>,
        upstream: F,
    ) -> Outcome<V>
    where
        F: FnMut(Turn) -> Fut + Send + 'static,
        Fut: Future<Output = Upstream<V>> + Send + 'static,
    {
        let mut end = lease.flight.wait();
        tokio::spawn(fly(Arc::clone(&self.0), questions.clone(), lease, own, upstream));
        match landed(&mut end).await {
            End::Answered(landed) => Outcome::Asked(Some(landed)),
            End::TimedOut => Outcome::TimedOut,
            End::Unshared | End::Failed => Outcome::Asked(None),
        }
    }

    /// Whether a background read is due, which then is the caller's to make.
    pub(crate) fn wants_background_read(&self, now: Instant) -> bool {
        self.0.knowledge.wants_background_read(now)
    }

    /// Asks `questions` once more without any token, with no one waiting: its reply makes a watermark.
    pub(crate) fn read_in_background<F, Fut>(&self, questions: &Questions, mut upstream: F)
    where
        F: FnMut(Turn) -> Fut + Send + 'static,
        Fut: Future<Output = Upstream<V>> + Send + 'static,
    {
        // Only a head read shows whether a store that seemed to lack something was restored.
        let ask = if self.0.knowledge.is_behind() {
            ReadAt::Head
        } else {
            ReadAt::Any
        };
        let (cache, questions) = (Arc::clone(&self.0), questions.clone());
        let Entry::Lead(lease) = cache.flights.lead(questions.flight, questions.credential, ask.clone()) else {
            return;
        };
        tokio::spawn(async move {
            let flight = Arc::clone(&lease.flight);
            let call = cache.call(&questions, &flight, ask, Purpose::Background, &mut upstream, true);
            let end = timeout(cache.settings.flight_timeout, call).await;
            drop(lease);
            flight.land(end.map_or(End::TimedOut, Called::end));
        });
    }

    fn is_of_this_epoch(&self, landed: &Landed<V>) -> bool {
        let epoch = self.0.knowledge.epoch();
        landed.decisions.iter().all(|decision| decision.epoch == epoch)
    }

    /// A follower takes an answer only if it satisfies the follower's own freshness.
    fn may_take(&self, landed: &Landed<V>, freshness: &Freshness, arrived: Instant, questions: &Questions) -> bool {
        let epoch = self.0.knowledge.epoch();
        landed.shared
            && landed.decisions.len() == questions.each.len()
            && landed
                .decisions
                .iter()
                .zip(&*questions.each)
                .all(|(decision, question)| match freshness {
                    Freshness::Full => decision.epoch == epoch && decision.fresh.head >= Some(arrived),
                    _ => {
                        let window = &self.0.settings.window;
                        decision
                            .satisfies(freshness, arrived, window, question.jitter(), epoch)
                            .is_ok()
                    }
                })
    }

    fn look_again(&self, questions: &Questions, freshness: &Freshness, arrived: Instant) -> Option<Arc<Landed<V>>> {
        let now = Instant::now();
        let found = questions.each.iter().map(|question| {
            let decision = self.find(*question, freshness, arrived).ok()?;
            // Age counts from the arrival, but the hard end does not wait for those who wait.
            (now < decision.expires).then_some(decision)
        });
        let decisions: Vec<_> = found.collect::<Option<_>>()?;
        let one_snapshot = match &*decisions {
            [_] => true,
            several => {
                let first = several.first()?.label()?;
                self.0.capabilities.reads_repeat && several.iter().all(|decision| decision.holds_at(first))
            }
        };
        one_snapshot.then(|| {
            Arc::new(Landed {
                decisions,
                shared: true,
                stored: true,
                ask: ReadAt::Any,
                replied: None,
            })
        })
    }
}

/// The task of a flight: it holds the cache's values, never the upstream's types, and outlives whoever began it.
async fn fly<V, F, Fut>(
    cache: Arc<Inner<V>>,
    questions: Questions,
    lease: Lease<V>,
    own: Option<ReadAt>,
    mut upstream: F,
) where
    V: Weigh,
    F: FnMut(Turn) -> Fut + Send + 'static,
    Fut: Future<Output = Upstream<V>> + Send + 'static,
{
    let flight = Arc::clone(&lease.flight);
    let calls = async {
        let Some(own) = own else {
            return cache
                .call(
                    &questions,
                    &flight,
                    flight.ask.clone(),
                    Purpose::Answer,
                    &mut upstream,
                    true,
                )
                .await;
        };
        match cache
            .call(
                &questions,
                &flight,
                flight.ask.clone(),
                Purpose::AnswerAtMore,
                &mut upstream,
                true,
            )
            .await
        {
            Called::Ended(end) => Called::Ended(end),
            Called::RevisionRejected => {
                if let Some(rejected) = flight.ask.revision() {
                    cache.knowledge.forget_shared(rejected);
                }
                cache
                    .call(&questions, &flight, own, Purpose::Answer, &mut upstream, true)
                    .await
            }
        }
    };
    let end = tokio::select! {
        called = timeout(cache.settings.flight_timeout, calls) => called.map_or(End::TimedOut, Called::end),
        () = flight.abandoned(cache.settings.flight_grace) => End::TimedOut,
    };
    // Whoever comes from here on looks into the cache, which has the answer already.
    drop(lease);
    flight.land(end);
}

#[cfg(test)]
mod tests;
