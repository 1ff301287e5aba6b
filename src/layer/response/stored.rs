use std::sync::Arc;

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Response};

use crate::cache::Decision;
use crate::layer::body::StoredBody;
use crate::layer::pending::Requirement;
use crate::layer::response::cache_status::CacheStatus;
use crate::layer::state::LayerState;
use crate::protocol::{Protocol, Received, Route, StoredResponse};
use crate::revision::Revision;
use crate::token::Zookie;

impl<P: Protocol> LayerState<P> {
    /// A reply from memory, in the request's own header map.
    pub(in crate::layer) fn stored_reply(
        &self,
        route: Route,
        request: HeaderMap,
        stored: &StoredResponse,
        replace_cookie: bool,
        status: CacheStatus,
    ) -> Response<StoredBody> {
        let mut headers = self.emptied(route, request);
        let mut set = |name, value: &Option<HeaderValue>| {
            if let Some(value) = value {
                headers.insert(name, value.clone());
            }
        };
        set(CONTENT_TYPE, &stored.content_type);
        set(CONTENT_ENCODING, &stored.content_encoding);
        self.mark(&mut headers, stored.zookie.as_ref(), replace_cookie, status);
        let mut response = Response::new(StoredBody {
            data: stored.body.clone(),
            trailers: stored.trailers.clone(),
        });
        *response.status_mut() = stored.status;
        *response.headers_mut() = headers;
        response
    }

    /// The request's header map with nothing in it but what is echoed.
    fn emptied(&self, route: Route, mut request: HeaderMap) -> HeaderMap {
        let echoed = self.protocol.echoed(route);
        if echoed.is_empty() {
            request.clear();
            return request;
        }
        let echoes: Vec<_> = echoed.iter().map(|name| (name, request.get(name).cloned())).collect();
        request.clear();
        for (name, value) in echoes {
            if let Some(value) = value {
                request.insert(name.clone(), value);
            }
        }
        request
    }

    /// A bulk's reply from the answers to its questions, which all hold at the revision of `zookie`, if there is one.
    pub(in crate::layer) fn merge(
        &self,
        received: Received<'_>,
        answers: &[Option<&StoredResponse>],
        zookie: Option<Zookie>,
    ) -> StoredResponse {
        let merged = self.protocol.merge(received, answers, zookie.as_ref());
        StoredResponse { zookie, ..merged }
    }

    /// The token of the revision `at`, as the store spelled it if one of `decisions` holds just there.
    pub(in crate::layer) fn zookie_at<'a>(
        &self,
        at: Option<&Revision>,
        decisions: impl Iterator<Item = &'a Arc<Decision<StoredResponse>>>,
    ) -> Option<Zookie> {
        let at = at?;
        let mut there = decisions.filter(|decision| decision.label() == Some(at));
        let spelled = there.find_map(|decision| decision.value.zookie.clone());
        spelled.or_else(|| self.memo.format().encode(at))
    }

    pub(in crate::layer) fn count_lag(&self, requirement: &Requirement, label: Option<&Revision>) {
        if let (Some(floor), Some(label)) = (requirement.freshness.revision(), label)
            && let Some(lag) = label.lead(floor)
        {
            self.cache.counters().lag(lag);
        }
    }
}
