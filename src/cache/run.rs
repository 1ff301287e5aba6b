//! What happens to a question that the cache could not answer at once.

use std::sync::Arc;

use moka::ops::compute::Op;
use tokio::time::{Instant, timeout};

use super::decision::{Decision, Span};
use super::flights::{End, Entry, Flight, Landed, Lease, landed};
use super::{Ask, DecisionCache, Fingerprint, Inner, Weigh};
use crate::consistency::Freshness;
use crate::revision::Revision;
use crate::trust::{CallStart, ProbeTurn, Probing, Source, Standing, label};

/// How often a follower joins another flight after one that ended without an answer for it.
const MAX_ROUNDS: usize = 3;

/// The questions that one upstream call is to answer.
#[derive(Clone, Debug)]
pub(crate) struct Questions {
    /// The flight's name: the question itself, or one fingerprint for all.
    pub(crate) flight: Fingerprint,
    pub(crate) each: Arc<[Fingerprint]>,
    /// Who asks, for the cap on flights.
    pub(crate) credential: u64,
}

impl Questions {
    pub(crate) fn one(question: Fingerprint, credential: u64) -> Self {
        Self {
            flight: question,
            each: Arc::new([question]),
            credential,
        }
    }
}

/// One upstream call, about to be made.
pub(crate) struct Turn {
    pub(crate) ask: Ask,
    /// More is asked than the caller demands: if the upstream refuses the revision, it is asked once more.
    pub(crate) rewritten: bool,
    begin: Box<dyn Fn() + Send + Sync>,
}

impl Turn {
    /// To be called just before the upstream is: what it answers is no older than this instant.
    pub(crate) fn begin(&self) {
        (self.begin)();
    }
}

/// What came of one upstream call. The reply as such goes to the caller by another way.
#[derive(Debug)]
pub(crate) enum Upstream<V> {
    Answered {
        items: Vec<Item<V>>,
        /// The revision that the reply names.
        revision: Option<Revision>,
    },
    /// The upstream would not answer at the revision that it was told.
    RevisionRefused,
    /// The reply holds no answer that anybody could share.
    Unshared,
    Failed,
}

#[derive(Debug)]
pub(crate) struct Item<V> {
    pub(crate) value: V,
    pub(crate) keep: bool,
    pub(crate) expires_in: Option<std::time::Duration>,
}

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

/// What to ask, and how.
enum Plan {
    /// In a flight; `own` is what the caller's own floor demands, where `ask` is more.
    Fly {
        ask: Ask,
        own: Option<Ask>,
    },
    /// In a flight whose reply also shows how far the store has come.
    Probe(Probing),
    /// For the caller and nobody else.
    Alone(Ask),
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
            let entry = match self.plan(freshness, arrived).await {
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
        let ask = self.own_ask(freshness);
        self.alone(questions, ask, upstream).await
    }

    async fn plan(&self, freshness: &Freshness, arrived: Instant) -> Plan {
        let trust = &self.0.trust;
        let floor = match freshness {
            Freshness::Full
            // No other read keeps the bound, and a head proves the floor as a probe does.
            | Freshness::AtLeast {
                head_within: Some(_), ..
            } => {
                return Plan::Fly {
                    ask: Ask::Full,
                    own: None,
                };
            }
            Freshness::AtLeast {
                floor: None,
                head_within: None,
            } => {
                return Plan::Fly {
                    ask: Ask::Unasked,
                    own: None,
                };
            }
            Freshness::Exact(revision) => {
                let ask = Ask::Exact(revision.clone());
                return match trust.standing(revision) {
                    // Only what can be kept and shared is worth a flight.
                    Standing::Trusted if self.0.abilities.repeatable_exact => Plan::Fly { ask, own: None },
                    _ => Plan::Alone(ask),
                };
            }
            Freshness::AtLeast {
                floor: Some(floor),
                head_within: None,
            } => floor,
        };
        let mut waited = false;
        loop {
            let standing = trust.standing(&floor.revision);
            if standing == Standing::Trusted {
                return self.fly_at_least(&floor.revision, arrived);
            }
            if waited && standing == Standing::Foreign {
                return Plan::Foreign;
            }
            if waited || !self.0.abilities.bears_revision {
                return Plan::Alone(Ask::AsItCame(floor.revision.clone()));
            }
            match trust.probe(Instant::now()) {
                ProbeTurn::Lead(probing) => return Plan::Probe(probing),
                ProbeTurn::TooSoon => return Plan::Alone(Ask::AsItCame(floor.revision.clone())),
                ProbeTurn::Wait(mut ended) => {
                    let Some(_seat) = self.0.flights.take_seat() else {
                        return Plan::Alone(Ask::AsItCame(floor.revision.clone()));
                    };
                    // A probe ends when its flight does, so this wait has the flight's deadline.
                    let _ = ended.wait_for(|ended| *ended).await;
                    waited = true;
                }
            }
        }
    }

    fn fly_at_least(&self, floor: &Revision, arrived: Instant) -> Plan {
        let own = Ask::AtLeast(floor.clone());
        match self.0.trust.window(arrived) {
            Some(window) if window.revision > *floor => Plan::Fly {
                ask: Ask::AtLeast(window.revision),
                own: Some(own),
            },
            _ => Plan::Fly { ask: own, own: None },
        }
    }

    fn own_ask(&self, freshness: &Freshness) -> Ask {
        match freshness {
            Freshness::Full
            | Freshness::AtLeast {
                head_within: Some(_), ..
            } => Ask::Full,
            Freshness::Exact(revision) => Ask::Exact(revision.clone()),
            Freshness::AtLeast { floor: None, .. } => Ask::Unasked,
            Freshness::AtLeast { floor: Some(floor), .. } => Ask::AsItCame(floor.revision.clone()),
        }
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
        let call = self.0.call(questions, &flight, ask, false, upstream, false);
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
                self.0.abilities.repeatable_exact && several.iter().all(|decision| decision.label() == Some(first))
            }
        };
        one_snapshot.then(|| {
            Arc::new(Landed {
                decisions,
                shared: true,
                stored: true,
                ask: self.own_ask(freshness),
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
                .call(&questions, &flight, flight.ask.clone(), false, &mut upstream, true)
                .await;
        };
        match cache
            .call(&questions, &flight, flight.ask.clone(), true, &mut upstream, true)
            .await
        {
            Called::Ended(end) => Called::Ended(end),
            Called::RevisionRefused => {
                if let Some(failed) = flight.ask.told() {
                    cache.trust.drop_window(failed);
                }
                cache.call(&questions, &flight, own, false, &mut upstream, true).await
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

enum Called<V> {
    Ended(End<V>),
    RevisionRefused,
}

impl<V> Called<V> {
    fn end(self) -> End<V> {
        match self {
            Self::Ended(end) => end,
            Self::RevisionRefused => End::Unshared,
        }
    }
}

impl<V: Weigh> Inner<V> {
    async fn call<F, Fut>(
        self: &Arc<Self>,
        questions: &Questions,
        flight: &Arc<Flight<V>>,
        ask: Ask,
        rewritten: bool,
        upstream: &mut F,
        keep: bool,
    ) -> Called<V>
    where
        F: FnMut(Turn) -> Fut,
        Fut: Future<Output = Upstream<V>>,
    {
        let begin = {
            let (cache, flight) = (Arc::clone(self), Arc::clone(flight));
            move || {
                cache.counters.upstream_call();
                flight.begin(cache.trust.begin());
            }
        };
        let reply = upstream(Turn {
            ask: ask.clone(),
            rewritten,
            begin: Box::new(begin),
        })
        .await;
        match (reply, flight.start()) {
            (Upstream::Answered { items, revision }, Some(start)) => {
                let landed = self.land(questions, ask, &start, items, revision.as_ref(), keep);
                Called::Ended(End::Answered(Arc::new(landed)))
            }
            (Upstream::Answered { .. } | Upstream::Unshared, _) => Called::Ended(End::Unshared),
            (Upstream::RevisionRefused, _) => Called::RevisionRefused,
            (Upstream::Failed, _) => Called::Ended(End::Failed),
        }
    }

    /// Learns from a reply, labels its answers, and keeps those that may be kept.
    fn land(
        &self,
        questions: &Questions,
        ask: Ask,
        start: &CallStart,
        items: Vec<Item<V>>,
        borne: Option<&Revision>,
        keep: bool,
    ) -> Landed<V> {
        let same_store = match (borne, &ask) {
            (Some(borne), Ask::Unasked) => self.trust.learn(start, borne, Source::Unasked),
            (Some(borne), Ask::Full) => self.trust.learn(start, borne, Source::Head),
            (Some(borne), Ask::AtLeast(told) | Ask::Exact(told) | Ask::AsItCame(told)) => {
                self.trust.notice(start, told, borne)
            }
            (None, _) => start.epoch == self.trust.epoch(),
        };
        let label = label(ask.told(), borne, start).filter(|label| {
            // An exact reply that names another revision is not the answer at the one that was asked for.
            same_store && !matches!(&ask, Ask::Exact(told) if label != told)
        });
        let (as_of, head_as_of) = match &ask {
            Ask::Exact(told) => {
                let window = self.trust.window(start.began).filter(|window| window.revision == *told);
                (window.map(|window| window.as_of), None)
            }
            Ask::Full => (Some(start.began), Some(start.began)),
            Ask::Unasked | Ask::AtLeast(_) | Ask::AsItCame(_) => (Some(start.began), None),
        };
        let exact = matches!(ask, Ask::Exact(_));
        let by_age_alone = !self.abilities.bears_revision && borne.is_none() && ask.told().is_none();
        // The floor was trusted when the flight was planned, but the store may have been restored since.
        let told_what_was_true = ask.told().is_none_or(|told| start.trusts(told));
        let keepable = keep
            && same_store
            && told_what_was_true
            && (label.is_some() || by_age_alone)
            && !matches!(ask, Ask::AsItCame(_));

        let mut shared = keepable;
        let mut stored = false;
        let now = Instant::now();
        let mut decisions = Vec::with_capacity(items.len());
        for (item, question) in items.into_iter().zip(&*questions.each) {
            let hard_end = now + self.settings.time_to_live;
            // The reply may have been under way for as long as the call took.
            let expires = item.expires_in.map_or(hard_end, |lives| {
                hard_end.min(start.began + lives.min(self.settings.time_to_live))
            });
            let decision = Arc::new(Decision {
                value: item.value,
                span: label.clone().map(Span::at),
                as_of,
                head_as_of,
                began: start.began,
                expires,
                epoch: start.epoch,
            });
            shared &= item.keep;
            if keepable && item.keep {
                self.keep(*question, &decision, exact);
                stored = true;
            }
            decisions.push(decision);
        }
        Landed {
            decisions,
            shared,
            stored,
            ask,
        }
    }

    fn keep(&self, question: Fingerprint, decision: &Arc<Decision<V>>, exact: bool) {
        if exact && let Some(revision) = decision.label() {
            self.exact
                .insert(self.keyer.at(question, revision), Arc::clone(decision));
        }
        if decision.as_of.is_some() {
            self.newest.entry(question).and_compute_with(|entry| match entry {
                None => Op::Put(Arc::clone(decision)),
                Some(entry) => match Decision::clone(decision).succeed(entry.value()) {
                    Some(successor) => Op::Put(Arc::new(successor)),
                    None => Op::Nop,
                },
            });
        }
    }
}

#[cfg(test)]
mod tests;
