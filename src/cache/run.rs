//! What happens to a question that the cache could not answer at once.

use std::sync::Arc;

use tokio::time::{Instant, timeout};

use super::call::{Called, Purpose, Questions, Turn, Upstream};
use super::flights::{End, Entry, Flight, Landed, Lease, landed};
use super::plan::Plan;
use super::{Ask, DecisionCache, Inner, Weigh};
use crate::consistency::Freshness;
use crate::revision::Revision;
use crate::trust::{Probing, Standing};

/// How often a follower joins another flight after one that ended without an answer for it.
const MAX_ROUNDS: usize = 3;

/// How a request got its answer.
#[derive(Debug)]
pub(crate) enum Outcome<V> {
    /// From the cache, at a second look.
    Hit(Arc<Landed<V>>),
    /// From an upstream call of its own: the reply went straight to the caller. `None` where it held no answer.
    Asked(Option<Arc<Landed<V>>>),
    /// From somebody else's upstream call.
    Joined(Arc<Landed<V>>),
    /// Somebody else's upstream call failed.
    Failed,
    TimedOut,
    /// The floor belongs to another store.
    Foreign,
}

impl<V: Weigh> DecisionCache<V> {
    /// Answers `questions`, asking the upstream where the cache can't.
    pub(crate) async fn run<F, Fut>(
        &self,
        questions: &Questions,
        freshness: &Freshness,
        arrived: Instant,
        mut upstream: F,
    ) -> Outcome<V>
    where
        F: FnMut(Turn) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = Upstream<V>> + Send + 'static,
    {
        let outcome = self.answer(questions, freshness, arrived, &mut upstream).await;
        let Freshness::AtLeast { floor: Some(floor), .. } = freshness else {
            return outcome;
        };
        // A head proves a floor only if it reaches it. Otherwise the upstream is to judge the request as it came.
        let below_the_floor = self.0.abilities.bears_revision
            && matches!(&outcome, Outcome::Asked(Some(landed)) if landed.ask == Ask::Full
                && !landed.decisions.iter().all(|decision| decision.covers(floor)));
        if !below_the_floor {
            return outcome;
        }
        match self.0.trust.standing(&floor.revision) {
            Standing::Foreign => Outcome::Foreign,
            Standing::Trusted | Standing::Unproven => {
                let ask = Ask::AsItCame(floor.revision.clone());
                self.alone(questions, ask, &mut upstream).await
            }
        }
    }

    async fn answer<F, Fut>(
        &self,
        questions: &Questions,
        freshness: &Freshness,
        arrived: Instant,
        upstream: &mut F,
    ) -> Outcome<V>
    where
        F: FnMut(Turn) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = Upstream<V>> + Send + 'static,
    {
        for round in 0..MAX_ROUNDS {
            if round > 0
                && let Some(found) = self.look_again(questions, freshness, arrived)
            {
                self.0.counters.coalesced(questions.each.len());
                return Outcome::Hit(found);
            }
            let entry = match self.plan(questions, freshness, arrived, upstream).await {
                Plan::Foreign => return Outcome::Foreign,
                Plan::Alone(ask) => return self.alone(questions, ask, upstream).await,
                Plan::Probe(probing) => return self.prove(questions, probing, upstream).await,
                Plan::Fly { ask, own } => {
                    let wanted = (freshness, arrived, &self.0.settings.window);
                    let entry = self
                        .0
                        .flights
                        .enter(questions.flight, questions.credential, ask.clone(), wanted);
                    (entry, ask, own)
                }
            };
            match entry {
                (Entry::Lead(lease), _, own) => {
                    return self.take_off(questions, lease, own, None, upstream.clone()).await;
                }
                (Entry::Crowded, ask, own) => return self.alone(questions, own.unwrap_or(ask), upstream).await,
                (Entry::Follow(follower), ..) => match follower.wait().await {
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
        let ask = Ask::as_it_came(freshness);
        self.alone(questions, ask, upstream).await
    }

    /// Asks the question at head: its reply tells how far the store has come.
    async fn prove<F, Fut>(&self, questions: &Questions, probing: Probing, upstream: &mut F) -> Outcome<V>
    where
        F: FnMut(Turn) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = Upstream<V>> + Send + 'static,
    {
        match self.0.flights.lead(questions.flight, questions.credential, Ask::Full) {
            Entry::Lead(lease) => {
                self.take_off(questions, lease, None, Some(probing), upstream.clone())
                    .await
            }
            Entry::Follow(_) | Entry::Crowded => {
                let outcome = self.alone(questions, Ask::Full, upstream).await;
                drop(probing);
                outcome
            }
        }
    }

    /// Asks in the caller's own task: the answer is kept by nobody and joined by nobody.
    async fn alone<F, Fut>(&self, questions: &Questions, ask: Ask, upstream: &mut F) -> Outcome<V>
    where
        F: FnMut(Turn) -> Fut,
        Fut: Future<Output = Upstream<V>>,
    {
        let flight = Flight::new(ask.clone());
        let call = self.0.call(questions, &flight, ask, Purpose::Answer, upstream, false);
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
        own: Option<Ask>,
        probing: Option<Probing>,
        upstream: F,
    ) -> Outcome<V>
    where
        F: FnMut(Turn) -> Fut + Send + 'static,
        Fut: Future<Output = Upstream<V>> + Send + 'static,
    {
        let mut end = lease.flight.wait();
        tokio::spawn(fly(
            Arc::clone(&self.0),
            questions.clone(),
            lease,
            own,
            probing,
            upstream,
        ));
        match landed(&mut end).await {
            End::Answered(landed) => Outcome::Asked(Some(landed)),
            End::TimedOut => Outcome::TimedOut,
            End::Unshared | End::Failed => Outcome::Asked(None),
        }
    }

    /// Asks with the caller's own floor, for the upstream to judge it.
    pub(crate) async fn ask_as_it_came<F, Fut>(
        &self,
        questions: &Questions,
        floor: &Revision,
        mut upstream: F,
    ) -> Outcome<V>
    where
        F: FnMut(Turn) -> Fut,
        Fut: Future<Output = Upstream<V>>,
    {
        self.alone(questions, Ask::AsItCame(floor.clone()), &mut upstream).await
    }

    fn is_of_this_epoch(&self, landed: &Landed<V>) -> bool {
        let epoch = self.0.trust.epoch();
        landed.decisions.iter().all(|decision| decision.epoch == epoch)
    }

    /// A follower takes an answer only if it satisfies the follower's own freshness.
    fn may_take(&self, landed: &Landed<V>, freshness: &Freshness, arrived: Instant, questions: &Questions) -> bool {
        let epoch = self.0.trust.epoch();
        landed.shared
            && landed.decisions.len() == questions.each.len()
            && landed
                .decisions
                .iter()
                .zip(&*questions.each)
                .all(|(decision, question)| match freshness {
                    Freshness::Full => decision.epoch == epoch && decision.head_as_of >= Some(arrived),
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
                self.0.abilities.repeatable_exact && several.iter().all(|decision| decision.holds_at(first))
            }
        };
        one_snapshot.then(|| {
            Arc::new(Landed {
                decisions,
                shared: true,
                stored: true,
                ask: Ask::as_it_came(freshness),
            })
        })
    }
}

/// The task of a flight: it holds the cache's values, never the upstream's types, and outlives whoever began it.
async fn fly<V, F, Fut>(
    cache: Arc<Inner<V>>,
    questions: Questions,
    lease: Lease<V>,
    own: Option<Ask>,
    probing: Option<Probing>,
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
            Called::RevisionRefused => {
                if let Some(failed) = flight.ask.told() {
                    cache.trust.drop_window(failed);
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
    drop(probing);
    flight.land(end);
}

#[cfg(test)]
mod tests;
