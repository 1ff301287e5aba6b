use std::sync::Arc;

use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Response};

use super::cache_status::CacheStatus;
use super::service::Stored;
use super::shared::Shared;
use super::wanted::Wanted;
use crate::cache::Decision;
use crate::consistency::{Floor, Floors};
use crate::protocol::{Call, Protocol, Route, StoredResponse};
use crate::revision::{Order, Revision};
use crate::token::{Token, Zookie};

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
/// How many tokens without a join a cookie holds.
const MOST_SIDE_BY_SIDE: usize = 8;
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

impl<P: Protocol> Shared<P> {
    /// A reply from memory, in the request's own header map.
    pub(super) fn kept_reply(
        &self,
        route: Route,
        request: HeaderMap,
        kept: &StoredResponse,
        replace_cookie: bool,
        status: CacheStatus,
    ) -> Response<Stored> {
        let mut headers = self.emptied(route, request);
        let mut set = |name, value: &Option<HeaderValue>| {
            if let Some(value) = value {
                headers.insert(name, value.clone());
            }
        };
        set(CONTENT_TYPE, &kept.content_type);
        set(CONTENT_ENCODING, &kept.content_encoding);
        self.mark(&mut headers, kept.zookie.as_ref(), replace_cookie, status);
        let mut response = Response::new((kept.body.clone(), kept.trailers.clone()));
        *response.status_mut() = kept.status;
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
        let kept: Vec<_> = echoed.iter().map(|name| (name, request.get(name).cloned())).collect();
        request.clear();
        for (name, value) in kept {
            if let Some(value) = value {
                request.insert(name.clone(), value);
            }
        }
        request
    }

    /// Adds to a reply on a check route what the layer has to say. A read sets no cookie, so that parallel reads do not take
    /// it back; unless the request's own is of no use.
    pub(super) fn mark(
        &self,
        headers: &mut HeaderMap,
        zookie: Option<&Zookie>,
        replace_cookie: bool,
        status: CacheStatus,
    ) {
        headers.insert(CACHE_CONTROL, NO_STORE);
        headers.append(CACHE_STATUS, status.to_header_value());
        let Some(zookie) = zookie else { return };
        self.carriers.set_headers(headers, zookie);
        if replace_cookie {
            self.set_cookies(headers, std::slice::from_ref(zookie));
        }
    }

    /// Adds to the reply to a write what the layer has to say.
    pub(super) fn mark_write(&self, headers: &mut HeaderMap, written: Option<&Token>, session: Floors) {
        headers.append(CACHE_STATUS, CacheStatus::Write.to_header_value());
        if let Some(written) = written {
            self.carriers.set_headers(headers, &written.zookie);
            self.set_cookies(headers, &self.session_after(written, session));
        }
    }

    /// The tokens of a session after a write: the join of what it brought and what was written, so that it never goes back.
    fn session_after(&self, written: &Token, session: Floors) -> Vec<Zookie> {
        let mut floors = Floors::none();
        let own_store = |floor: &Floor| floor.revision.store() == written.revision.store();
        for floor in session
            .into_iter()
            .filter(own_store)
            .chain([Floor::now(written.revision.clone())])
        {
            floors.push(floor);
        }
        // Where every two revisions compare, an answer at the greatest one that was asked for later than all covers all.
        let tops = floors.top().filter(|top| top.revision.order() == Order::Total);
        let revisions: Vec<_> = match tops {
            Some(top) => vec![top],
            None => floors.iter().collect(),
        };
        let spell = |floor: &Floor| match floor.revision == written.revision {
            true => Some(written.zookie.clone()),
            false => self.memo.format().encode(&floor.revision),
        };
        revisions
            .into_iter()
            .rev()
            .take(MOST_SIDE_BY_SIDE)
            .filter_map(spell)
            .collect()
    }

    pub(super) fn set_cookies(&self, headers: &mut HeaderMap, zookies: &[Zookie]) {
        if let Err(error) = self.carriers.set_cookies(headers, zookies) {
            tracing::debug!(%error, "no zookie cookie was set");
        }
    }

    /// A bulk's reply from the answers to its questions, which all hold at the revision of `zookie`, if there is one.
    pub(super) fn merge(
        &self,
        call: &Call,
        message: &bytes::Bytes,
        answers: &[Option<&StoredResponse>],
        zookie: Option<Zookie>,
    ) -> StoredResponse {
        let merged = self.protocol.merge(call, message, answers, zookie.as_ref());
        StoredResponse { zookie, ..merged }
    }

    /// The token of the revision `at`, as the store spelled it if one of `decisions` holds just there.
    pub(super) fn zookie_at<'a>(
        &self,
        at: Option<&Revision>,
        decisions: impl Iterator<Item = &'a Arc<Decision<StoredResponse>>>,
    ) -> Option<Zookie> {
        let at = at?;
        let mut there = decisions.filter(|decision| decision.label() == Some(at));
        let spelled = there.find_map(|decision| decision.value.zookie.clone());
        spelled.or_else(|| self.memo.format().encode(at))
    }

    pub(super) fn count_lag(&self, wanted: &Wanted, label: Option<&Revision>) {
        if let (Some(floor), Some(label)) = (wanted.freshness.revision(), label)
            && let Some(lag) = label.lead(floor)
        {
            self.cache.counters().lag(lag);
        }
    }
}

pub(super) fn mark_bypassed(headers: &mut HeaderMap, why: &'static str) {
    headers.insert(CACHE_CONTROL, NO_STORE);
    headers.append(CACHE_STATUS, CacheStatus::Bypass(why).to_header_value());
}

pub(super) fn mark_rejected(headers: &mut HeaderMap, why: &'static str) {
    headers.insert(CACHE_CONTROL, NO_STORE);
    headers.append(CACHE_STATUS, CacheStatus::Rejected(why).to_header_value());
}
