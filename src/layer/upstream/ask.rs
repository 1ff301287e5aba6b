use crate::cache::{Demand, Failure, Fetch, Outcome, Questions, ReadAt};
use crate::consistency::Freshness;
use crate::layer::pending::Pending;
use crate::layer::state::LayerState;
use crate::protocol::{Protocol, StoredResponse};

/// What came of asking the questions of a pending request.
pub(super) struct Asked<O> {
    pub(super) outcome: Outcome<StoredResponse, O>,
    /// The request's cookie is of no use: the reply sets another one.
    pub(super) replace_cookie: bool,
}

impl<P: Protocol> LayerState<P> {
    /// Asks as fresh as the request demands, and once more where the reply shows that this was not fresh enough.
    pub(super) async fn ask<F: Fetch<StoredResponse>>(
        &self,
        pending: &Pending,
        questions: &Questions,
        fetch: &mut F,
    ) -> Asked<F::Own> {
        let requirement = &pending.requirement;
        let knowledge = self.cache.knowledge();
        let is_foreign = || {
            let mut floors = requirement.floors.iter();
            floors.any(|floor| knowledge.is_foreign(&floor.revision))
        };
        let at_least = matches!(requirement.freshness, Freshness::AtLeast { head_within: None, .. });
        let upstream_judges = requirement.in_message && at_least;
        let mut replace_cookie = requirement.replace_cookie;
        if requirement.unmodified || upstream_judges && is_foreign() {
            let outcome = self.ask_unmodified(pending, questions, fetch).await;
            return Asked {
                outcome,
                replace_cookie,
            };
        }
        // A browser sends its cookie by itself, so a cookie of a store that is gone is no reason to reject the request.
        let cookie_yields = !requirement.explicit && is_foreign();
        if cookie_yields && requirement.raised {
            self.warn_foreign_record();
        }
        let mut outcome = if cookie_yields {
            self.ask_at_head(pending, questions, fetch).await
        } else {
            let demand = Demand {
                freshness: &requirement.freshness,
                floors: &requirement.floors,
                arrived: pending.arrived,
            };
            self.cache.run(questions, demand, fetch).await
        };
        // What is remembered of objects is in no cookie.
        let has_cookie = !requirement.raised;
        replace_cookie |= cookie_yields && has_cookie;
        if matches!(outcome, Err(Failure::Foreign)) {
            if upstream_judges {
                let outcome = self.ask_unmodified(pending, questions, fetch).await;
                return Asked {
                    outcome,
                    replace_cookie,
                };
            }
            if requirement.in_message || !requirement.explicit {
                replace_cookie |= !requirement.explicit && has_cookie;
                outcome = self.ask_at_head(pending, questions, fetch).await;
            }
        }
        // The store has never named what the cookie says, and two heads lack it.
        let passed = || {
            requirement
                .floors
                .iter()
                .all(|floor| knowledge.has_passed(&floor.revision))
        };
        if matches!(outcome, Err(Failure::Behind(_))) && !requirement.explicit && !passed() {
            if requirement.raised {
                // The store was restored to before what is remembered.
                self.warn_foreign_record();
                outcome = self.ask_at_head(pending, questions, fetch).await;
            } else {
                replace_cookie = true;
            }
        }
        let landed = outcome.as_ref().ok().and_then(|fetched| fetched.landed());
        if let Some(floors) = landed.and_then(|landed| landed.lacks(&requirement.elsewhere)) {
            let freshness = Freshness::AtLeast {
                floors,
                head_within: None,
            };
            let demand = Demand::of(&freshness, pending.arrived);
            outcome = self.cache.run(questions, demand, fetch).await;
            replace_cookie = requirement.replace_cookie;
        }
        Asked {
            outcome,
            replace_cookie,
        }
    }

    async fn ask_at_head<F: Fetch<StoredResponse>>(
        &self,
        pending: &Pending,
        questions: &Questions,
        fetch: &mut F,
    ) -> Outcome<StoredResponse, F::Own> {
        let demand = Demand::of(&Freshness::Full, pending.arrived);
        self.cache.run(questions, demand, fetch).await
    }

    /// Lets the upstream judge the request's own token.
    async fn ask_unmodified<F: Fetch<StoredResponse>>(
        &self,
        pending: &Pending,
        questions: &Questions,
        fetch: &mut F,
    ) -> Outcome<StoredResponse, F::Own> {
        let requirement = &pending.requirement;
        let ask = match (&requirement.freshness, requirement.floors.top()) {
            (Freshness::Exact(snapshot), _) => ReadAt::Exact(snapshot.clone()),
            (_, Some(top)) => ReadAt::Unmodified(top.revision.clone()),
            (_, None) => ReadAt::Head,
        };
        let floors = &requirement.floors;
        self.cache.ask_unmodified(questions, ask, floors, fetch).await
    }
}
