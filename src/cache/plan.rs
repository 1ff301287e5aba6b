use std::sync::Arc;

use tokio::time::{Instant, timeout};

use super::call::{Purpose, Questions, Turn, Upstream};
use super::flights::Flight;
use super::{Ask, DecisionCache, Inner, Told, Weigh};
use crate::consistency::Freshness;
use crate::revision::Revision;
use crate::trust::{ProbeTurn, Probing, Standing};

/// What to ask, and how.
pub(super) enum Plan {
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
    /// What to ask for a question that the cache could not answer. A revision that nobody has proven is probed first.
    pub(super) async fn plan<F, Fut>(
        &self,
        questions: &Questions,
        freshness: &Freshness,
        arrived: Instant,
        upstream: &mut F,
    ) -> Plan
    where
        F: FnMut(Turn) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = Upstream<V>> + Send + 'static,
    {
        let (told, exact) = match freshness {
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
            } => return self.fly_untold(),
            Freshness::Exact(revision) => (revision, true),
            Freshness::AtLeast {
                floor: Some(floor),
                head_within: None,
            } => (&floor.revision, false),
        };
        let alone = || {
            let told = told.clone();
            Plan::Alone(if exact { Ask::Exact(told) } else { Ask::AsItCame(told) })
        };
        // Only what can be kept and shared is worth a flight.
        if exact && !self.0.abilities.repeatable_exact {
            return alone();
        }
        let trust = &self.0.trust;
        let mut waited = false;
        loop {
            let planned = if exact {
                self.fly_exactly(told)
            } else {
                self.fly_at_least(told, arrived)
            };
            if let Some(plan) = planned {
                return plan;
            }
            if waited && !exact && trust.standing(told) == Standing::Foreign {
                return Plan::Foreign;
            }
            // A question at head is no answer to who asks for another snapshot, nor does it prove anything where its reply
            // names no revision.
            let provable = questions.can_probe || self.0.abilities.bears_revision && !exact;
            if waited || !provable {
                return alone();
            }
            match trust.probe(Instant::now()) {
                ProbeTurn::Lead(probing) if questions.can_probe => {
                    let mut ended = probing.ended();
                    tokio::spawn(probe(Arc::clone(&self.0), questions.none(), probing, upstream.clone()));
                    let _ = ended.wait_for(|ended| *ended).await;
                    waited = true;
                }
                ProbeTurn::Lead(probing) => return Plan::Probe(probing),
                ProbeTurn::TooSoon => return alone(),
                ProbeTurn::Wait(mut ended) => {
                    let Some(_seat) = self.0.flights.take_seat() else {
                        return alone();
                    };
                    // A probe ends when its flight does, so this wait has the flight's deadline.
                    let _ = ended.wait_for(|ended| *ended).await;
                    waited = true;
                }
            }
        }
    }

    fn reads_exactly(&self) -> bool {
        self.0.abilities.told == Told::Exactly
    }

    /// A read that names no revision. Where such a read is head, the window's revision is what many can share.
    fn fly_untold(&self) -> Plan {
        match self.fresh(None) {
            Some(fresh) => Plan::Fly {
                ask: Ask::AtLeast(fresh),
                own: Some(Ask::Unasked),
            },
            None => Plan::Fly {
                ask: Ask::Unasked,
                own: None,
            },
        }
    }

    /// A read at exactly `told`, if that revision is the store's own and its answers won't change any more.
    fn fly_exactly(&self, told: &Revision) -> Option<Plan> {
        let trust = &self.0.trust;
        let settled = !self.reads_exactly() || trust.settles(told);
        (settled && trust.standing(told) == Standing::Trusted).then(|| Plan::Fly {
            ask: Ask::Exact(told.clone()),
            own: None,
        })
    }

    /// A read at the floor or above it, if the floor is proven.
    fn fly_at_least(&self, floor: &Revision, arrived: Instant) -> Option<Plan> {
        if self.reads_exactly() {
            // At the floor itself, an answer would be as old as that.
            let fresh = self.fresh(Some(floor))?;
            let own = (fresh != *floor).then(|| Ask::AsItCame(floor.clone()));
            return Some(Plan::Fly {
                ask: Ask::AtLeast(fresh),
                own,
            });
        }
        if self.0.trust.standing(floor) != Standing::Trusted {
            return None;
        }
        let own = Ask::AtLeast(floor.clone());
        Some(match self.0.trust.window(arrived) {
            Some(window) if window.revision > *floor => Plan::Fly {
                ask: Ask::AtLeast(window.revision),
                own: Some(own),
            },
            _ => Plan::Fly { ask: own, own: None },
        })
    }

    /// What a store that reads at just what it is told is asked at: a revision of this window.
    fn fresh(&self, floor: Option<&Revision>) -> Option<Revision> {
        let reads_exactly = self.reads_exactly().then(Instant::now);
        reads_exactly.and_then(|now| self.0.trust.fresh(floor, now))
    }

    /// What to ask at for a read that names no revision itself, though its caller demands a floor, and that is never kept.
    pub(crate) fn ask_untold(&self, freshness: &Freshness) -> Ask {
        let fresh = match freshness {
            Freshness::AtLeast {
                floor: Some(floor),
                head_within: None,
            } => self.fresh(Some(&floor.revision)),
            _ => None,
        };
        fresh.map_or_else(|| Ask::as_it_came(freshness), Ask::AtLeast)
    }
}

/// The task of a head probe: it goes on for those who wait when the caller that began it leaves. A failed one proves
/// nothing.
async fn probe<V, F, Fut>(cache: Arc<Inner<V>>, nothing: Questions, probing: Probing, mut upstream: F)
where
    V: Weigh,
    F: FnMut(Turn) -> Fut + Send + 'static,
    Fut: Future<Output = Upstream<V>> + Send + 'static,
{
    let flight = Flight::new(Ask::Full);
    let call = cache.call(&nothing, &flight, Ask::Full, Purpose::Probe, &mut upstream, false);
    // Whatever the reply says of the store was learned when it landed.
    let _ = timeout(cache.settings.flight_timeout, call).await;
    drop(probing);
}
