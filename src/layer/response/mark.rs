use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::consistency::{Floor, Floors};
use crate::layer::response::cache_status::CacheStatus;
use crate::layer::state::LayerState;
use crate::protocol::Protocol;
use crate::revision::Order;
use crate::token::{Token, Zookie};

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// How many tokens without a join a cookie holds.
const MOST_SIDE_BY_SIDE: usize = 8;

impl<P: Protocol> LayerState<P> {
    /// Adds to a reply on a check route what the layer has to say. A read sets no cookie, so that parallel reads do not take
    /// it back; unless the request's own is of no use.
    pub(in crate::layer) fn mark(
        &self,
        headers: &mut HeaderMap,
        zookie: Option<&Zookie>,
        replace_cookie: bool,
        status: CacheStatus,
    ) {
        headers.insert(CACHE_CONTROL, NO_STORE);
        headers.append(CACHE_STATUS, status.to_header_value());
        let Some(zookie) = zookie else { return };
        self.carriers.set_headers(headers, &self.signed(zookie));
        if replace_cookie {
            self.set_cookies(headers, std::slice::from_ref(zookie));
        }
    }

    /// Adds to the reply to a write what the layer has to say.
    pub(in crate::layer) fn mark_write(&self, headers: &mut HeaderMap, written: Option<&Token>, session: Floors) {
        headers.append(CACHE_STATUS, CacheStatus::Write.to_header_value());
        if let Some(written) = written {
            self.carriers.set_headers(headers, &self.signed(&written.zookie));
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

    /// Sets cookies, with signatures if the cookies then are not too long for browsers.
    pub(in crate::layer) fn set_cookies(&self, headers: &mut HeaderMap, zookies: &[Zookie]) {
        let signed: Vec<Zookie> = zookies.iter().map(|zookie| self.signed(zookie)).collect();
        let set = self.carriers.set_cookies(headers, &signed);
        let set = match set {
            Err(_) if self.verifies() => self.carriers.set_cookies(headers, zookies),
            set => set,
        };
        if let Err(error) = set {
            tracing::debug!(%error, "no zookie cookie was set");
        }
    }
}

/// Adds to a reply that came around the cache what the layer has to say.
pub(in crate::layer) fn mark_bypassed(headers: &mut HeaderMap, why: &'static str) {
    headers.insert(CACHE_CONTROL, NO_STORE);
    headers.append(CACHE_STATUS, CacheStatus::Bypass(why).to_header_value());
}

/// Adds to a rejection what the layer has to say.
pub(in crate::layer) fn mark_rejected(headers: &mut HeaderMap, why: &'static str) {
    headers.insert(CACHE_CONTROL, NO_STORE);
    headers.append(CACHE_STATUS, CacheStatus::Rejected(why).to_header_value());
}
