//! The requests that go to the inner service.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request};

use crate::cache::ReadAt;
use crate::consistency::{Consistency, Floor};
use crate::layer::asked::Asked;
use crate::layer::body::{Replay, RequestBody};
use crate::layer::headers::{CONSISTENCY, Headers, forbid_caching};
use crate::layer::pending::{Pending, Requirement};
use crate::layer::state::LayerState;
use crate::protocol::{Call, Protocol, Received, Rejection, Route};
use crate::revision::Revision;
use crate::token::Zookie;

/// The headers of a request that belong to one caller's call alone, not to a call that others share.
const OF_ONE_CALLER: [HeaderName; 11] = [
    HeaderName::from_static("grpc-timeout"),
    // Callers that share the reply can read it only if it is not compressed.
    HeaderName::from_static("grpc-accept-encoding"),
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("x-correlation-id"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
    HeaderName::from_static("baggage"),
    HeaderName::from_static("b3"),
    HeaderName::from_static("x-b3-traceid"),
    HeaderName::from_static("x-b3-spanid"),
    HeaderName::from_static("x-b3-sampled"),
];

impl<P: Protocol> LayerState<P> {
    /// The request that asks the questions `open` at `ask`. `None` where no token says that. A `shared` one contains nothing
    /// of its caller's own spelling.
    pub(in crate::layer) fn request<B: RequestBody>(
        &self,
        pending: &Pending,
        open: &[usize],
        ask: &ReadAt,
        shared: bool,
    ) -> Option<Request<B>> {
        let Pending {
            parts, message, route, ..
        } = pending;
        let zookie = match ask.revision() {
            None => None,
            Some(revision) => Some(self.spelled(&pending.requirement, revision, shared)?),
        };
        let mut parts = parts.clone();
        self.state_requirement(&mut parts, *route, ask.consistency(), zookie.clone())?;
        if shared {
            strip_own_call(&mut parts.headers);
        }
        let body = match self.protocol.ask(pending.received(), open, ask, zookie.as_ref()) {
            None => message.clone(),
            Some(body) => {
                set_length(&mut parts.headers, &body);
                body
            }
        };
        Some(Request::from_parts(
            parts,
            B::replay(Replay::read(body, None, pending.end)),
        ))
    }

    /// A token of `revision`: the caller's own, if it names that revision and no other caller sees it.
    fn spelled(&self, requirement: &Requirement, revision: &Revision, shared: bool) -> Option<Zookie> {
        let demanded = requirement
            .freshness
            .revision()
            .or(requirement.floors.top().map(|top| &top.revision));
        match &requirement.own_zookie {
            Some(own) if !shared && demanded == Some(revision) => Some(own.clone()),
            _ => self.memo.format().encode(revision),
        }
    }

    /// What a request is asked at if its answer is never stored. `None` where one read can't cover all floors.
    pub(in crate::layer) fn read_at_unstored(&self, requirement: &Requirement, call: Option<&Call>) -> Option<ReadAt> {
        if self.has_doubtful_cookie(requirement) {
            Some(ReadAt::Head)
        } else if call.is_some_and(|call| call.token.is_some()) {
            requirement.read_at_unmodified()
        } else {
            self.cache.read_at_unstored(&requirement.freshness)
        }
    }

    /// Whether the request's only tokens are cookies, which a browser sends by itself, and they may be of another store than
    /// the one that answers here. Head covers them if they are of this store.
    fn has_doubtful_cookie(&self, requirement: &Requirement) -> bool {
        let knowledge = self.cache.knowledge();
        let known = |floor: &Floor| knowledge.is_of_known_store(&floor.revision);
        !requirement.explicit && !requirement.floors.iter().all(known)
    }

    /// The parts of a request that is forwarded around the cache, with its requirement stated in them, and its message where
    /// the message states it.
    pub(in crate::layer) fn stated(
        &self,
        route: Route,
        parts: &Parts,
        message: &Bytes,
        call: Option<&Call>,
        requirement: &Requirement,
    ) -> Result<(Parts, Option<Bytes>), Rejection> {
        let mut parts = parts.clone();
        let in_message = self.protocol.states_freshness(route);
        if in_message && !requirement.raised && !self.raises_floor(&parts) {
            return Ok((parts, None));
        }
        let ask = self
            .read_at_unstored(requirement, call)
            .ok_or(Rejection::TokensDoNotJoin)?;
        // Also beside a stricter consistency, which a message can't state together with a token.
        let doubtful = self.has_doubtful_cookie(requirement);
        let top = requirement.floors.top().filter(|_| !doubtful);
        let stated = ask.revision().or(top.map(|top| &top.revision));
        let zookie = match stated {
            None => None,
            Some(revision) => Some(
                self.spelled(requirement, revision, false)
                    .ok_or(Rejection::TokensDoNotJoin)?,
            ),
        };
        let consistency = match doubtful {
            true => Consistency::FullyConsistent,
            false => requirement.consistency_at(&ask),
        };
        if Headers::of(&parts.headers).are_signed() {
            // Its own headers state the requirement, and nothing in it may be changed.
            parts.extensions.insert(Asked { consistency, zookie });
            return if in_message {
                Err(Rejection::FloorUnstated)
            } else {
                Ok((parts, None))
            };
        }
        let body = match call {
            None if in_message => return Err(Rejection::FloorUnstated),
            None => None,
            Some(call) => {
                let all: Vec<usize> = (0..call.kind.questions()).collect();
                let zookie = zookie.as_ref().filter(|_| ask.revision().is_some());
                self.protocol
                    .ask(Received::new(route, call, message), &all, &ask, zookie)
            }
        };
        self.state_requirement(&mut parts, route, consistency, zookie)
            .ok_or(Rejection::FloorUnstated)?;
        if let Some(body) = &body {
            set_length(&mut parts.headers, body);
        }
        Ok((parts, body))
    }

    /// Whether the request's parts say anything about tokens and consistency.
    pub(in crate::layer) fn raises_floor(&self, parts: &Parts) -> bool {
        let mut raises =
            parts.headers.contains_key(CONSISTENCY) || forbid_caching(parts.headers.get_all(CACHE_CONTROL));
        let visited = self.carriers.visit(&parts.headers, &parts.uri, |_, _| raises = true);
        raises || visited.is_err()
    }

    /// States consistency and token in a request's parts, in place of all that the caller's carriers said.
    pub(in crate::layer) fn state_requirement(
        &self,
        parts: &mut Parts,
        route: Route,
        consistency: Consistency,
        zookie: Option<Zookie>,
    ) -> Option<()> {
        parts.headers.remove(CONSISTENCY);
        self.carriers.strip(&mut parts.headers, &mut parts.uri);
        keep_from_connection(&mut parts.headers, &[&CONSISTENCY, &self.token_header()]);
        if !self.protocol.states_freshness(route) {
            if let Some(zookie) = &zookie {
                parts.headers.insert(self.token_header(), zookie.to_header_value());
            }
            if consistency != Consistency::MinimizeLatency {
                parts
                    .headers
                    .insert(CONSISTENCY, HeaderValue::try_from(consistency.to_string()).ok()?);
            }
        }
        parts.extensions.insert(Asked { consistency, zookie });
        Some(())
    }
}

/// Says how long the body is that replaces a request's own.
pub(in crate::layer) fn set_length(headers: &mut HeaderMap, body: &Bytes) {
    headers.remove(TRANSFER_ENCODING);
    if headers.contains_key(CONTENT_LENGTH) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
}

/// Takes headers out of those that `Connection` names, because the next hop would drop them.
fn keep_from_connection(headers: &mut HeaderMap, names: &[&HeaderName]) {
    let is_ours = |member: &str| {
        names
            .iter()
            .any(|name| member.trim().eq_ignore_ascii_case(name.as_str()))
    };
    let lists = headers
        .get_all(CONNECTION)
        .iter()
        .map(|list| list.to_str().unwrap_or_default());
    if !lists.flat_map(|list| list.split(',')).any(is_ours) {
        return;
    }
    let lists = headers.get_all(CONNECTION).iter().filter_map(|list| list.to_str().ok());
    let others: Vec<&str> = lists
        .flat_map(|list| list.split(','))
        .filter(|member| !is_ours(member))
        .collect();
    let rest = HeaderValue::try_from(others.join(","))
        .ok()
        .filter(|rest| !rest.is_empty());
    headers.remove(CONNECTION);
    if let Some(rest) = rest {
        headers.insert(CONNECTION, rest);
    }
}

/// Removes from a request's headers what belongs to one caller's call alone.
pub(super) fn strip_own_call(headers: &mut HeaderMap) {
    OF_ONE_CALLER.iter().for_each(|name| drop(headers.remove(name)));
}
