use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::ask::Asker;
use super::body::{RequestBody, ZookieBody};
use super::cache_status::CacheStatus;
use super::decide::Asking;
use super::shared::Shared;
use crate::cache::{Decision, Fingerprint, Landed, Miss, Outcome, Questions, Served};
use crate::consistency::{Floors, Freshness};
use crate::protocol::{Kind, Protocol, Rejection, StoredResponse};
use crate::revision::Revision;

/// A bulk of which the cache could not answer all.
pub(super) async fn fetch<S, P, B, R>(
    shared: Arc<Shared<P>>,
    service: S,
    asking: Arc<Asking>,
    served: Served<StoredResponse>,
) -> Result<Response<ZookieBody<R>>, S::Error>
where
    S: Service<Request<B>, Response = Response<R>, Error: Send, Future: Send> + Clone + Send + 'static,
    B: RequestBody,
    R: Body<Data = Bytes, Error: Send> + Send + 'static,
    P: Protocol,
{
    let Kind::Bulk(each) = &asking.call.kind else {
        return Ok(shared.rejection(&asking, &Rejection::UpstreamFailed));
    };
    let why = served.miss().unwrap_or(Miss::Absent);
    let freshness = &asking.wanted.freshness;
    let mixed = shared.settings.mix_revisions && !matches!(freshness, Freshness::Exact(_));

    if served.any() && (mixed || shared.can_ask_at(served.at.as_ref())) {
        let found: Vec<Option<&StoredResponse>> = served.kept().collect();
        let open: Arc<[usize]> = shared.protocol.needed(&asking.call, &asking.message, &found).into();
        let missing = open.iter().map(|&index| each[index]).collect();
        let questions = shared.questions(missing, &asking);
        let exactly = served.at.clone().map(Freshness::Exact);
        let freshness = if mixed {
            freshness
        } else {
            exactly.as_ref().unwrap_or(freshness)
        };
        let mut partly = Asker {
            shared: &shared,
            service: service.clone(),
            asking: &asking,
            open: Arc::clone(&open),
        };
        let none = Floors::none();
        let floors = match freshness {
            Freshness::AtLeast { floors, .. } => floors,
            Freshness::Exact(_) | Freshness::Full => &none,
        };
        let outcome = partly.run::<B, R>(&questions, freshness, floors).await.outcome;
        let at = if mixed { None } else { served.at.as_ref() };
        if let Outcome::Asked(Some(landed)) | Outcome::Joined(landed) | Outcome::Hit(landed) = &outcome
            && let Some(reply) = shared.merge_partial(&asking, &served, &open, landed, at)
        {
            return Ok(reply);
        }
        // The revision is gone, or the upstream failed: what the caller gets is the upstream's word on the whole.
    }

    let all = (0..each.len()).collect();
    let questions = shared.questions(each.iter().copied().collect(), &asking);
    let mut whole = Asker {
        shared: &shared,
        service,
        asking: &asking,
        open: all,
    };
    let asked = whole.ask(&questions).await;
    match &asked.outcome {
        Outcome::Hit(landed) | Outcome::Joined(landed) => {
            let answers: Vec<_> = (0..each.len())
                .map(|index| landed.decisions.get(index).map(|decision| &decision.value))
                .collect();
            let at = landed.decisions.first().and_then(|first| first.label());
            let zookie = shared.zookie_at(at, landed.decisions.iter());
            let merged = shared.merge(&asking.call, &asking.message, &answers, zookie);
            let status = CacheStatus::Missed {
                why,
                stored: false,
                collapsed: true,
            };
            Ok(shared.remembered(&asking, &merged, asked.replace_cookie, status))
        }
        _ => shared.own_reply(&asking, asked, why),
    }
}

impl<P: Protocol> Shared<P> {
    pub(super) fn questions(&self, each: Arc<[Fingerprint]>, asking: &Asking) -> Questions {
        let questions = self.cache.bulk(each, &asking.message, asking.caller);
        questions.with_probes(self.protocol.can_probe())
    }

    /// Whether missing items can be asked at exactly the revision of those that were found.
    fn can_ask_at(&self, at: Option<&Revision>) -> bool {
        at.is_some_and(|at| self.cache.knowledge().is_named(at))
    }

    /// The reply from what was found and what was then asked; `None` where they are no one snapshot.
    fn merge_partial<R: Body>(
        &self,
        asking: &Asking,
        served: &Served<StoredResponse>,
        open: &[usize],
        landed: &Landed<StoredResponse>,
        at: Option<&Revision>,
    ) -> Option<Response<ZookieBody<R>>> {
        let mut decisions: Vec<Option<&Arc<Decision<StoredResponse>>>> =
            served.found.iter().map(|found| found.as_ref().ok()).collect();
        for (&index, decision) in open.iter().zip(&landed.decisions) {
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
        let still_open = self.protocol.needed(&asking.call, &asking.message, &answers);
        if !still_open.is_empty() {
            return None;
        }
        let lowest = crate::cache::lowest(decisions.iter().flatten().map(|decision| decision.label()));
        let zookie = self.zookie_at(at.or(lowest.as_ref()), decisions.iter().flatten().copied());
        let merged = self.merge(&asking.call, &asking.message, &answers, zookie);
        let status = CacheStatus::Partial {
            why: served.miss().unwrap_or(Miss::Absent),
            stored: landed.stored,
            hits: served.found.iter().flatten().count(),
            questions: served.found.len(),
            mixed: at.is_none(),
        };
        Some(self.remembered(asking, &merged, asking.wanted.replace_cookie, status))
    }
}
