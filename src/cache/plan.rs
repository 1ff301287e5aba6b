use std::sync::Arc;

use tokio::time::{Instant, timeout};

use super::call::{Purpose, Questions, Turn, Upstream};
use super::flights::Flight;
use super::{Ask, DecisionCache, Inner, Weigh};
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
            } => {
                return Plan::Fly {
                    ask: Ask::Unasked,
                    own: None,
                };
            }
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
