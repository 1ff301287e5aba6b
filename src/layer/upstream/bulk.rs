use std::sync::Arc;

use http::Response;
use http_body::Body;

use crate::cache::{Decision, Demand, Fetched, Fingerprint, Landed, Miss, Served, lowest};
use crate::consistency::Freshness;
use crate::layer::body::{RequestBody, ZookieBody};
use crate::layer::inner::Upstream;
use crate::layer::pending::Pending;
use crate::layer::response::CacheStatus;
use crate::layer::state::LayerState;
use crate::layer::upstream::ask::Asked;
use crate::layer::upstream::check::in_time;
use crate::layer::upstream::fetch::{InnerFetch, Open};
use crate::protocol::{Protocol, Rejection, StoredResponse};
use crate::revision::Revision;

/// Asks those questions of a bulk that the cache could not answer.
pub(in crate::layer) async fn ask_bulk<S, P, B>(
    state: Arc<LayerState<P>>,
    mut inner: S,
    pending: Arc<Pending>,
    each: Arc<[Fingerprint]>,
    served: Served<StoredResponse>,
) -> Result<Response<ZookieBody<S::ResBody>>, S::Error>
where
    S: Upstream<B>,
    P: Protocol,
    B: RequestBody,
{
    let reply = async {
        if let Some(reply) = ask_missing::<S, P, B>(&state, &mut inner, &pending, &each, &served).await {
            return Ok(reply);
        }
        ask_all::<S, P, B>(&state, inner.clone(), &pending, each, served.miss()).await
    };
    match in_time(&pending, reply).await {
        Some(reply) => reply,
        None => Ok(state.reject_pending(&pending, &Rejection::UpstreamTimeout)),
    }
}

/// Asks the questions that the cache could not answer, at the revision of those that it could. `None` where that makes no
/// snapshot: the upstream's own reply to the whole bulk then decides.
async fn ask_missing<S, P, B>(
    state: &Arc<LayerState<P>>,
    inner: &mut S,
    pending: &Arc<Pending>,
    each: &[Fingerprint],
    served: &Served<StoredResponse>,
) -> Option<Response<ZookieBody<S::ResBody>>>
where
    S: Upstream<B>,
    P: Protocol,
    B: RequestBody,
{
    let freshness = &pending.requirement.freshness;
    let mixed = state.settings.mix_revisions && !matches!(freshness, Freshness::Exact(_));
    let at = served.at.as_ref().filter(|_| !mixed);
    let can_ask_there = at.is_some_and(|at| state.cache.knowledge().is_named(at));
    if !served.any() || !(mixed || can_ask_there) {
        return None;
    }
    let found: Vec<Option<&StoredResponse>> = served.stored().collect();
    let open: Arc<[usize]> = state.protocol.needed(pending.received(), &found).into();
    let missing = open.iter().map(|&index| each[index]).collect();
    let questions = state.cache.questions(missing, &pending.message, pending.caller);
    let mut fetch = InnerFetch::<S, P, B>::new(state, inner.clone(), pending, Open::These(Arc::clone(&open)));
    let exactly = at.cloned().map(Freshness::Exact);
    let freshness = exactly.as_ref().unwrap_or(freshness);
    let demand = Demand::of(freshness, pending.arrived);
    let fetched = state.cache.run(&questions, demand, &mut fetch).await.ok()?;
    state.merge_partial(pending, served, &open, fetched.landed()?, at)
}

/// Asks all questions of a bulk.
async fn ask_all<S, P, B>(
    state: &Arc<LayerState<P>>,
    inner: S,
    pending: &Arc<Pending>,
    each: Arc<[Fingerprint]>,
    miss: Option<Miss>,
) -> Result<Response<ZookieBody<S::ResBody>>, S::Error>
where
    S: Upstream<B>,
    P: Protocol,
    B: RequestBody,
{
    let why = miss.unwrap_or(Miss::Apart);
    let all = (0..each.len()).collect();
    let count = each.len();
    let questions = state.cache.questions(each, &pending.message, pending.caller);
    let mut fetch = InnerFetch::<S, P, B>::new(state, inner, pending, Open::These(all));
    let Asked {
        outcome,
        replace_cookie,
    } = state.ask(pending, &questions, &mut fetch).await;
    match outcome {
        Ok(Fetched::Shared(landed)) => {
            let mut answers: Vec<_> = landed.decisions().map(|decision| Some(&decision.value)).collect();
            answers.resize(count, None);
            let zookie = state.zookie_at(landed.first.label(), landed.decisions());
            let merged = state.merge(pending.received(), &answers, zookie);
            let status = CacheStatus::Missed {
                why,
                stored: false,
                collapsed: true,
            };
            Ok(state.waited_for(pending, &merged, replace_cookie, status))
        }
        Ok(Fetched::Own { reply, landed }) => state.own_reply(pending, reply, landed.as_ref(), replace_cookie, why),
        Err(failure) => Ok(state.failed(pending, &failure, replace_cookie)),
    }
}

impl<P: Protocol> LayerState<P> {
    /// The reply from what was found and what was then asked at `at`; `None` where they are not one snapshot.
    fn merge_partial<R: Body>(
        &self,
        pending: &Pending,
        served: &Served<StoredResponse>,
        open: &[usize],
        landed: &Landed<StoredResponse>,
        at: Option<&Revision>,
    ) -> Option<Response<ZookieBody<R>>> {
        let mut decisions: Vec<Option<&Arc<Decision<StoredResponse>>>> =
            served.found.iter().map(|found| found.as_ref().ok()).collect();
        for (&index, decision) in open.iter().zip(landed.decisions()) {
            if at.is_some_and(|at| !decision.holds_at(at)) {
                return None;
            }
            decisions[index] = Some(decision);
        }
        // The store was replaced in between: a revision of the same name is not the same.
        let mut epochs = decisions.iter().flatten().map(|decision| decision.epoch);
        let epoch = epochs.next();
        if epochs.any(|other| Some(other) != epoch) {
            return None;
        }
        let answers: Vec<Option<&StoredResponse>> =
            decisions.iter().map(|found| found.map(|found| &found.value)).collect();
        let still_open = self.protocol.needed(pending.received(), &answers);
        if !still_open.is_empty() {
            return None;
        }
        let lowest = lowest(decisions.iter().flatten().map(|decision| decision.label()));
        let zookie = self.zookie_at(at.or(lowest.as_ref()), decisions.iter().flatten().copied());
        let merged = self.merge(pending.received(), &answers, zookie);
        let status = CacheStatus::Partial {
            why: served.miss().unwrap_or(Miss::Apart),
            stored: landed.stored,
            hits: served.found.iter().flatten().count(),
            questions: served.found.len(),
            mixed: at.is_none(),
        };
        Some(self.waited_for(pending, &merged, pending.requirement.replace_cookie, status))
    }
}
