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
            } => return self.fly_untold(arrived),
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
        let trust = &self.0.trust;
        let reads_exactly = self.0.abilities.told == Told::Exactly;
        // Only what can be kept and shared is worth a flight.
        let repeatable = self.0.abilities.repeatable_exact && (!reads_exactly || trust.settles(told));
        if exact && !repeatable {
            return alone();
        }
        if reads_exactly && !exact {
            return self.fly_at_fresh(told, arrived).unwrap_or_else(alone);
        }
        let mut waited = false;
        loop {
            match trust.standing(told) {
                Standing::Trusted if exact => {
                    return Plan::Fly {
                        ask: Ask::Exact(told.clone()),
                        own: None,
                    };
                }
                Standing::Trusted => return self.fly_at_least(told, arrived),
                Standing::Foreign if waited && !exact => return Plan::Foreign,
                Standing::Foreign | Standing::Unproven => {}
            }
            // A question at head is no answer to who asks for another snapshot.
            let provable = self.0.abilities.bears_revision && (questions.can_probe || !exact);
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

    /// A read that names no revision. Where such a read is head, the window's revision is what many can share.
    fn fly_untold(&self, arrived: Instant) -> Plan {
        let fresh = || self.0.trust.fresh(None, arrived);
        match (self.0.abilities.told == Told::Exactly).then(fresh).flatten() {
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

    /// A read at a revision that the store told of within the window, if one covers the floor. Read at the floor itself,
    /// an answer would be as old as that.
    fn fly_at_fresh(&self, floor: &Revision, arrived: Instant) -> Option<Plan> {
        let fresh = self.0.trust.fresh(Some(floor), arrived)?;
        let own = (fresh != *floor).then(|| Ask::AsItCame(floor.clone()));
        Some(Plan::Fly {
            ask: Ask::AtLeast(fresh),
            own,
        })
    }

    /// What to ask at for a read that names no revision itself, though its caller demands a floor, and that is never kept.
    pub(crate) fn ask_untold(&self, freshness: &Freshness, arrived: Instant) -> Ask {
        let fresh = match freshness {
            Freshness::AtLeast {
                floor: Some(floor),
                head_within: None,
            } if self.0.abilities.told == Told::Exactly => self.0.trust.fresh(Some(&floor.revision), arrived),
            _ => None,
        };
        fresh.map_or_else(|| Ask::as_it_came(freshness), Ask::AtLeast)
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
