//! What happens to a question that the cache could not answer at once.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use crate::cache::call::Called;
use crate::cache::fetch::{Fetch, Questions};
use crate::cache::flight::{End, Flight};
use crate::cache::flights::{Entry, Lease};
use crate::cache::landed::{Landed, Reach};
use crate::cache::movable::{BoxFuture, Movable, OnRuntime};
use crate::cache::plan::Plan;
use crate::cache::purpose::Purpose;
use crate::cache::read_at::ReadAt;
use crate::cache::weigh::Weigh;
use crate::cache::{DecisionCache, Inner};
use crate::consistency::{Floors, Freshness};
use crate::knowledge::ReadMode;
use crate::revision::Revision;

/// How often a follower joins another flight after one that ended without an answer for it.
const MAX_ROUNDS: usize = 3;

/// How a request got its answer, or why it got none.
pub(crate) type Outcome<V, O> = Result<Fetched<V, O>, Failure>;

/// Where the answers came from.
#[derive(Debug)]
pub(crate) enum Fetched<V, O> {
    /// From the cache at a second look, or from another caller's upstream call.
    Shared(Landed<V>),
    /// From an upstream call of its own: the reply itself, and the answers that it holds.
    Own { reply: O, landed: Option<Landed<V>> },
}

impl<V, O> Fetched<V, O> {
    pub(crate) fn landed(&self) -> Option<&Landed<V>> {
        match self {
            Self::Shared(landed) => Some(landed),
            Self::Own { landed, .. } => landed.as_ref(),
        }
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The upstream call that this caller shared with others failed.
    Upstream,
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
    /// Exactly what `freshness` says.
    pub(crate) fn of(freshness: &'a Freshness, arrived: Instant) -> Self {
        static NO_FLOORS: Floors = Floors::none();
        let floors = match freshness {
            Freshness::AtLeast { floors, .. } => floors,
            Freshness::Exact(_) | Freshness::Full => &NO_FLOORS,
        };
        Self {
            freshness,
            floors,
            arrived,
        }
    }
}

impl<V: Weigh> DecisionCache<V> {
    /// Answers `questions`, asking the upstream where the cache can't.
    pub(crate) async fn run<U: Fetch<V>>(
        &self,
        questions: &Questions,
        demand: Demand<'_>,
        upstream: &mut U,
    ) -> Outcome<V, U::Own> {
        let fetched = self.fetch(questions, demand, upstream).await?;
        let fetched = self.reach(questions, demand.floors, fetched, upstream).await?;
        // A default read has just shown all that another one would.
        let may_teach = matches!(&fetched, Fetched::Own { landed: Some(landed), .. }
            if landed.asked != ReadAt::Any && landed.replied.is_some());
        if may_teach && self.wants_background_read(Instant::now()) {
            self.read_in_background(questions, upstream.clone());
        }
        Ok(fetched)
    }

    /// Asks what the caller itself demands, for the upstream to judge.
    pub(crate) async fn ask_unmodified<U: Fetch<V>>(
        &self,
        questions: &Questions,
        ask: ReadAt,
        floors: &Floors,
        upstream: &mut U,
    ) -> Outcome<V, U::Own> {
        let fetched = self.alone(questions, ask, false, upstream).await?;
        self.reach(questions, floors, fetched, upstream).await
    }

    async fn fetch<U: Fetch<V>>(
        &self,
        questions: &Questions,
        demand: Demand<'_>,
        upstream: &mut U,
    ) -> Outcome<V, U::Own> {
        let Demand { freshness, arrived, .. } = demand;
        if matches!(freshness, Freshness::Full)
            && let Some(proven) = self.prove_at_head(questions, arrived, upstream).await
        {
            return Ok(Fetched::Shared(proven));
        }
        for round in 0..MAX_ROUNDS {
            if round > 0
                && let Some(found) = self.look_again(questions, freshness, arrived)
            {
                self.0.counters.coalesced(questions.each().len());
                return Ok(Fetched::Shared(found));
            }
            let (ask, own) = match self.plan(questions, freshness, arrived, upstream).await {
                Plan::Apart => return Err(Failure::Apart),
                Plan::Alone { ask, store } => return self.alone(questions, ask, store, upstream).await,
                Plan::Fly { ask, own } => (ask, own),
            };
            match self.0.flights.enter(questions, ask.clone(), freshness, arrived) {
                Entry::Lead(lease) => return self.lead(questions, lease, own, upstream).await,
                Entry::Crowded => return self.alone(questions, own.unwrap_or(ask), false, upstream).await,
                Entry::Follow(follower) => match follower.wait().await {
                    End::Answered(landed) if self.may_take(&landed, freshness, arrived, questions) => {
                        self.0.counters.coalesced(questions.each().len());
                        return Ok(Fetched::Shared(landed));
                    }
                    End::Failed => return Err(Failure::Upstream),
                    // The next leader's reply could be shared as little as this one.
                    End::Unshared => break,
                    End::Answered(landed) if !landed.shared && self.is_of_this_epoch(&landed) => break,
                    End::Answered(_) | End::TimedOut => {}
                },
            }
        }
        let ask = ReadAt::unmodified(freshness).ok_or(Failure::Apart)?;
        self.alone(questions, ask, false, upstream).await
    }

    /// Compares a reply's revision with the floors. A head that lacks one is read once more: a store may give all who ask
    /// for its head at once the head that it gave the first, or may wait until another node's writes arrive.
    async fn reach<U: Fetch<V>>(
        &self,
        questions: &Questions,
        floors: &Floors,
        mut fetched: Fetched<V, U::Own>,
        upstream: &mut U,
    ) -> Outcome<V, U::Own> {
        let mut read_again = false;
        loop {
            let Some(landed) = fetched.landed() else {
                return Ok(fetched);
            };
            let unmodified = matches!(landed.asked, ReadAt::Unmodified(_));
            fetched = match (landed.reach(floors), &landed.asked, floors.top()) {
                (Reach::Covers, ..) => return Ok(fetched),
                (Reach::Foreign, ..) if unmodified => return Ok(fetched),
                (Reach::Foreign, ..) => return Err(Failure::Foreign),
                (Reach::Behind, ReadAt::Head, Some(top)) if self.0.capabilities.head_may_trail_reads => {
                    let ask = ReadAt::Unmodified(top.revision.clone());
                    self.alone(questions, ask, false, upstream).await?
                }
                (Reach::Behind, ReadAt::Head, Some(top)) if self.0.capabilities.read_mode == ReadMode::Current => {
                    // Such a store waits until it has reached what it is asked at, and names its own revision.
                    let ask = ReadAt::AtLeast(top.revision.clone());
                    self.alone(questions, ask, true, upstream).await?
                }
                (Reach::Behind, ReadAt::Head, _) if !read_again => {
                    read_again = true;
                    match self.0.flights.lead(questions, ReadAt::Head) {
                        Some(lease) => self.lead(questions, lease, None, upstream).await?,
                        None => self.alone(questions, ReadAt::Head, false, upstream).await?,
                    }
                }
                (Reach::Behind, ..) => {
                    return match &landed.replied {
                        Some(replied) => Err(Failure::Behind(replied.clone())),
                        None => Ok(fetched),
                    };
                }
            }
        }
    }

    /// Asks in the caller's own future: no other caller joins. `store`: the answer may be stored.
    async fn alone<U: Fetch<V>>(
        &self,
        questions: &Questions,
        ask: ReadAt,
        store: bool,
        upstream: &mut U,
    ) -> Outcome<V, U::Own> {
        let flight = Flight::new(ask.clone());
        let call = self
            .0
            .call(questions, &flight, ask, Purpose::Answer, store, upstream.clone());
        // A box of its own keeps the future of a flight's leader small.
        let called = timeout(self.0.settings.flight_timeout, Box::pin(call)).await;
        called.map_or(Err(Failure::TimedOut), |called| Ok(called.fetched()))
    }

    /// Leads a flight in the caller's own future, which moves to the runtime when the caller leaves or the first follower
    /// joins.
    async fn lead<U: Fetch<V>>(
        &self,
        questions: &Questions,
        lease: Lease<V>,
        own: Option<ReadAt>,
        upstream: &mut U,
    ) -> Outcome<V, U::Own> {
        let flight = Arc::clone(&lease.flight);
        let flying = fly(Arc::clone(&self.0), questions.clone(), lease, own, upstream.clone());
        let on_runtime = WithoutLeader {
            cache: Arc::clone(&self.0),
            flight: Arc::clone(&flight),
        };
        let leading = Movable::new(Box::pin(flying), on_runtime);
        flight.led_by(leading.mover());
        // A flight without an output has vanished, as by a panic.
        leading.await.unwrap_or(Err(Failure::Upstream))
    }

    /// Whether a background read is due, which then is the caller's to make.
    pub(crate) fn wants_background_read(&self, now: Instant) -> bool {
        self.0.knowledge.wants_background_read(now)
    }

    /// Asks `questions` once more without any token. No caller waits: the reply makes a watermark.
    pub(crate) fn read_in_background<U: Fetch<V>>(&self, questions: &Questions, upstream: U) {
        // Only a head read shows whether a store that seemed to lack something was restored.
        let ask = if self.0.knowledge.is_behind() {
            ReadAt::Head
        } else {
            ReadAt::Any
        };
        let (cache, questions) = (Arc::clone(&self.0), questions.clone());
        let Some(lease) = cache.flights.lead(&questions, ask.clone()) else {
            return;
        };
        tokio::spawn(async move {
            let flight = Arc::clone(&lease.flight);
            let call = cache.call(&questions, &flight, ask, Purpose::Background, true, upstream);
            let end = timeout(cache.settings.flight_timeout, call).await;
            drop(lease);
            flight.land(end.map_or(End::TimedOut, |called| called.end));
        });
    }

    fn is_of_this_epoch(&self, landed: &Landed<V>) -> bool {
        let epoch = self.0.knowledge.epoch();
        landed.decisions().all(|decision| decision.epoch == epoch)
    }

    /// A follower takes an answer only if it satisfies the follower's own freshness.
    fn may_take(&self, landed: &Landed<V>, freshness: &Freshness, arrived: Instant, questions: &Questions) -> bool {
        let epoch = self.0.knowledge.epoch();
        landed.shared
            && landed.len() == questions.each().len()
            && landed
                .decisions()
                .zip(questions.each())
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

    fn look_again(&self, questions: &Questions, freshness: &Freshness, arrived: Instant) -> Option<Landed<V>> {
        let now = Instant::now();
        let mut found = questions.each().iter().map(|question| {
            let decision = self.find(*question, freshness, arrived).ok()?;
            // Age counts from the arrival, but the hard end does not wait for those who wait.
            (now < decision.expires).then_some(decision)
        });
        let first = found.next()??;
        let rest: Vec<_> = found.collect::<Option<_>>()?;
        let one_snapshot = rest.is_empty() || {
            let at = first.label()?;
            self.0.capabilities.reads_repeat && first.holds_at(at) && rest.iter().all(|decision| decision.holds_at(at))
        };
        one_snapshot.then_some(Landed {
            first,
            rest,
            shared: true,
            stored: true,
            asked: ReadAt::Any,
            replied: None,
        })
    }
}

impl<V, O> Called<V, O> {
    fn fetched(self) -> Fetched<V, O> {
        let landed = match self.end {
            End::Answered(landed) => Some(landed),
            End::Unshared | End::Failed | End::TimedOut => None,
        };
        Fetched::Own {
            reply: self.own,
            landed,
        }
    }
}

/// The calls of a flight. What its followers get, it lands; its leader's outcome it returns.
async fn fly<V: Weigh, U: Fetch<V>>(
    cache: Arc<Inner<V>>,
    questions: Questions,
    lease: Lease<V>,
    own: Option<ReadAt>,
    upstream: U,
) -> Outcome<V, U::Own> {
    let flight = Arc::clone(&lease.flight);
    let ask = flight.ask.clone();
    let calls = async {
        if ask == ReadAt::Head {
            // Few requests may join a head read that has begun. Those that are ready now join it before it begins.
            tokio::task::yield_now().await;
        }
        let Some(own) = own else {
            return cache
                .call(&questions, &flight, ask, Purpose::Answer, true, upstream)
                .await;
        };
        let at_more = cache.call(&questions, &flight, ask, Purpose::AnswerAtMore, true, upstream.clone());
        let called = at_more.await;
        if !called.revision_rejected {
            return called;
        }
        if let Some(rejected) = flight.ask.revision() {
            cache.knowledge.forget_shared(rejected);
        }
        cache
            .call(&questions, &flight, own, Purpose::Answer, true, upstream)
            .await
    };
    let called = timeout(cache.settings.flight_timeout, calls).await;
    // Requests that arrive from now on find the answer in the cache.
    drop(lease);
    match called {
        Ok(called) => {
            flight.land_with(|| called.end.clone());
            Ok(called.fetched())
        }
        Err(_) => {
            flight.land(End::TimedOut);
            Err(Failure::TimedOut)
        }
    }
}

/// A flight on the runtime. It ends when neither its leader nor any follower has waited for the grace time.
struct WithoutLeader<V> {
    cache: Arc<Inner<V>>,
    flight: Arc<Flight<V>>,
}

impl<V: Weigh, T: Send + 'static> OnRuntime<T> for WithoutLeader<V> {
    fn run(self, mut flying: BoxFuture<T>, mut leader: oneshot::Sender<T>) -> Option<BoxFuture<()>> {
        let Self { cache, flight } = self;
        let grace = cache.settings.flight_grace;
        Some(Box::pin(async move {
            let abandoned = async {
                leader.closed().await;
                flight.abandoned(grace).await;
            };
            let output = tokio::select! {
                output = &mut flying => Some(output),
                () = abandoned => None,
            };
            match output {
                Some(output) => drop(leader.send(output)),
                None => {
                    drop(flying);
                    flight.land(End::TimedOut);
                }
            }
        }))
    }
}

#[cfg(test)]
mod tests;
