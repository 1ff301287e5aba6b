use std::sync::Arc;

use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ORIGIN, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, Response};

use super::cache_status::CacheStatus;
use super::service::Stored;
use super::shared::Shared;
use super::wanted::{Wanted, has_directive};
use crate::cache::Decision;
use crate::protocol::{Call, Kept, Protocol, Route};
use crate::revision::Revision;
use crate::token::Zookie;

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const OUR_NAME: &[u8] = b"tower-zookie";

impl<P: Protocol> Shared<P> {
    /// A reply from memory, in the request's own header map.
    pub(super) fn kept_reply(
        &self,
        route: Route,
        request: HeaderMap,
        kept: &Kept,
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
            self.set_cookies(headers, zookie);
        }
    }

    /// Adds to the reply to a write what the layer has to say.
    pub(super) fn mark_write(&self, headers: &mut HeaderMap, zookie: Option<&Zookie>) {
        headers.append(CACHE_STATUS, CacheStatus::Write.to_header_value());
        if let Some(zookie) = zookie {
            self.carriers.set_headers(headers, zookie);
            self.set_cookies(headers, zookie);
        }
    }

    pub(super) fn set_cookies(&self, headers: &mut HeaderMap, zookie: &Zookie) {
        if let Err(error) = self.last_cookies.set(headers, &self.carriers, zookie) {
            tracing::debug!(%error, "no zookie cookie was set");
        }
    }

    /// A bulk's reply from the answers to its questions, which all hold at the revision of `zookie`, if there is one.
    pub(super) fn merge(
        &self,
        call: &Call,
        message: &bytes::Bytes,
        answers: &[Option<&Kept>],
        zookie: Option<Zookie>,
    ) -> Kept {
        let merged = self.protocol.merge(call, message, answers, zookie.as_ref());
        Kept { zookie, ..merged }
    }

    /// The token of the revision `at`, as the store spelled it if one of `decisions` holds just there.
    pub(super) fn zookie_at<'a>(
        &self,
        at: Option<&Revision>,
        decisions: impl Iterator<Item = &'a Arc<Decision<Kept>>>,
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

/// Whether the upstream lets its reply be kept. A second layer's own `no-store` does not count, nor that a reply would vary
/// with an `Origin` that the request does not have.
pub(super) fn lets_keep(request: &HeaderMap, headers: &HeaderMap) -> bool {
    let forbidden = headers
        .get_all(CACHE_CONTROL)
        .iter()
        .any(|value| has_directive(value.as_bytes(), b"no-store") || has_directive(value.as_bytes(), b"private"));
    let by_a_layer = headers
        .get_all(CACHE_STATUS)
        .iter()
        .any(|value| value.as_bytes().starts_with(OUR_NAME) && !has_parameter(value.as_bytes(), b"fwd=bypass"));
    let origin_only = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"origin");
    let varies = !headers.get_all(VARY).iter().all(origin_only) || request.contains_key(ORIGIN);
    let varies = varies && headers.contains_key(VARY);
    !varies && (!forbidden || by_a_layer)
}

fn has_parameter(member: &[u8], parameter: &[u8]) -> bool {
    member
        .split(|byte| *byte == b';')
        .any(|part| part.trim_ascii() == parameter)
}

pub(super) fn mark_bypassed(headers: &mut HeaderMap, why: &'static str) {
    headers.insert(CACHE_CONTROL, NO_STORE);
    headers.append(CACHE_STATUS, CacheStatus::Bypass(why).to_header_value());
}

pub(super) fn mark_refused(headers: &mut HeaderMap, why: &'static str) {
    headers.insert(CACHE_CONTROL, NO_STORE);
    headers.append(CACHE_STATUS, CacheStatus::Refused(why).to_header_value());
}
