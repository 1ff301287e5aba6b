use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use tokio::time::Instant;

use super::around::Around;
use super::asked::Asked;
use super::body::{Read, Replay, RequestBody};
use super::cache_status::CacheStatus;
use super::headers::{Header, Headers};
use super::read::NEVER_KEPT;
use super::service::{Stored, unread_body};
use super::shared::Shared;
use super::wanted::{Rejected, Stated, Wanted};
use crate::cache::{FingerprintBuilder, Merge, Miss, Part, Served};
use crate::protocol::{Call, Key, Kind, Protocol, Rejection, Route, StoredResponse};

/// What to do with a request.
pub(super) enum Step<B> {
    /// The reply is there.
    Reply(Response<Stored>),
    /// The reply is there, and a background read is due.
    Refresh(Response<Stored>, Box<Asking>),
    /// To be forwarded around the cache, with its requirement stated.
    Bypass(Request<B>, &'static str),
    /// The same, and its reply is compared with its tokens.
    Around(Request<B>, Box<Around>),
    /// To be handed on; its reply teaches. Whom the cap on flights counts it for.
    Write(Request<B>, Call, u64),
    /// To be handed on no lower than its floor, and why nothing is kept of it.
    Read(Box<Asking>, &'static str),
    /// One question to ask.
    Check(Box<Asking>, Miss),
    /// Several questions, of which some are answered.
    Bulk(Box<Asking>, Served<StoredResponse>),
}

/// A check request that has to be forwarded.
#[derive(Debug)]
pub(super) struct Asking {
    pub(super) parts: Parts,
    pub(super) message: Bytes,
    pub(super) call: Call,
    pub(super) wanted: Wanted,
    pub(super) arrived: Instant,
    /// Whom the cap on flights counts this request for.
    pub(super) caller: u64,
    /// How long the caller is ready to wait, counted from its arrival.
    pub(super) timeout: Option<Duration>,
    pub(super) credential_ends: Option<Instant>,
}

/// What a call that is a check demands beside its questions.
struct Check {
    arrived: Instant,
    wanted: Wanted,
}

/// Who sent a request.
struct Caller {
    /// The credential, and nothing else of the request.
    key: FingerprintBuilder,
    ends: Option<Instant>,
}

impl Caller {
    /// Whom the cap on flights counts the request for.
    fn number(&self) -> u64 {
        self.key.finish().low_half()
    }
}

const OVERRIDDEN: &str = "a header that may change the request's path or method";
const ENDED: &str = "the credential has ended";

/// Whether `Connection` names headers of the request itself: a proxy below would not hand them on, so that a credential
/// that is in the key would not be in what is asked.
fn drops_headers(headers: &Headers<'_>) -> bool {
    const OF_THE_CONNECTION: [&[u8]; 5] = [b"close", b"keep-alive", b"upgrade", b"te", b"http2-settings"];
    headers
        .values(Header::Connection)
        .flat_map(|names| names.as_bytes().split(|byte| *byte == b','))
        .any(|name| {
            let name = name.trim_ascii();
            !name.is_empty() && !OF_THE_CONNECTION.iter().any(|known| name.eq_ignore_ascii_case(known))
        })
}

/// What a request is that the cache does not answer.
enum NotACheck {
    Write(Box<(Call, Caller)>),
    /// It can't be answered from the cache, and is forwarded with its requirement. `None` where its message can't be read.
    Around(Box<(Option<Call>, Wanted)>, &'static str),
    /// A page goes by its cursor, and a token that can't be read is the upstream's to judge.
    Unmodified(&'static str),
    Rejected(Rejected),
}

impl From<Rejected> for NotACheck {
    fn from(rejected: Rejected) -> Self {
        Self::Rejected(rejected)
    }
}

impl<P: Protocol> Shared<P> {
    pub(super) fn decide_by_head<B: RequestBody>(&self, route: Route, parts: Parts, body: B) -> Step<B> {
        let message = Bytes::new();
        let around = (!body.is_end_stream()).then_some("a body where none was expected");
        match self.understand(route, &parts, &message, around) {
            Ok((call, caller, check)) => self.answer(parts, message, call, &caller, check),
            Err(other) => self.pass(route, parts, &message, body, other),
        }
    }

    pub(super) fn decide_by_body<B: RequestBody>(&self, route: Route, parts: Parts, read: Read<B>) -> Step<B> {
        let message = match read {
            Read::Whole {
                message,
                trailers: None,
            } => message,
            unread => {
                let why = "a body over the limit, broken off, or with trailers";
                let other = self.understand_head(&parts, why);
                return self.pass(route, parts, &Bytes::new(), unread_body(unread), other);
            }
        };
        match self.understand(route, &parts, &message, None) {
            Ok((call, caller, check)) => self.answer(parts, message, call, &caller, check),
            Err(other) => {
                let body = B::replay(Replay::whole(message.clone(), None));
                self.pass(route, parts, &message, body, other)
            }
        }
    }

    /// Forwards or rejects what can't be answered from the cache.
    fn pass<B: RequestBody>(&self, route: Route, parts: Parts, message: &Bytes, body: B, other: NotACheck) -> Step<B> {
        let request = |parts| Request::from_parts(parts, body);
        match other {
            // It may do something else, so that its reply says nothing of a write.
            NotACheck::Write(..) if Headers::of(&parts.headers).override_request(self.overrides) => {
                Step::Bypass(request(parts), OVERRIDDEN)
            }
            NotACheck::Write(write) => {
                let (call, caller) = *write;
                Step::Write(request(parts), call, caller.number())
            }
            NotACheck::Around(around, why) => {
                let (call, wanted) = *around;
                let request = match self.stated(route, &parts, message, call.as_ref(), &wanted) {
                    Ok((parts, None)) => request(parts),
                    Ok((parts, Some(message))) => Request::from_parts(parts, B::replay(Replay::whole(message, None))),
                    Err(why) => return Step::Reply(self.reject(route, &parts.headers, &why)),
                };
                if wanted.floors.is_empty() {
                    return Step::Bypass(request, why);
                }
                let around = Around {
                    route,
                    call,
                    message: message.clone(),
                    headers: parts.headers,
                    rejects_foreign: wanted.explicit && !wanted.in_message,
                    floors: wanted.floors,
                    why,
                };
                Step::Around(request, Box::new(around))
            }
            NotACheck::Unmodified(why) => Step::Bypass(request(parts), why),
            NotACheck::Rejected(Rejected::Forward(why)) => {
                // The upstream would not know of what the headers demand.
                if self.protocol.states_freshness(route) && self.raises_floor(&parts.headers, &parts.uri) {
                    return Step::Reply(self.reject(route, &parts.headers, &Rejection::FloorUnstated));
                }
                let mut parts = parts;
                parts.extensions.insert(self.asked_unread(&parts));
                Step::Bypass(request(parts), why)
            }
            NotACheck::Rejected(Rejected::Reject(why)) => Step::Reply(self.reject(route, &parts.headers, &why)),
        }
    }

    /// What a request's carriers demand, of which one has a token that can't be read.
    fn asked_unread(&self, parts: &Parts) -> Asked {
        let mut texts = Vec::new();
        let visited = self.carriers.visit(&parts.headers, &parts.uri, |_, text| {
            texts.push(text.ok().map(str::to_owned))
        });
        if visited.is_err() {
            texts.push(None);
        }
        Asked::of(texts.iter().map(Option::as_deref), &parts.headers)
    }

    /// What a request demands whose message can't be read.
    fn understand_head(&self, parts: &Parts, why: &'static str) -> NotACheck {
        let headers = Headers::of(&parts.headers);
        let query = self.carriers.outline(&parts.uri);
        match self.wanted(parts, &headers, query, Stated::UNREADABLE, Instant::now()) {
            Ok(wanted) => NotACheck::Around(Box::new((None, wanted)), why),
            Err(rejected) => NotACheck::Rejected(rejected),
        }
    }

    /// The call, and for a check (not for a write) what it demands. Tokens, consistency and `require_token` are judged
    /// before anything is judged uncacheable.
    fn understand(
        &self,
        route: Route,
        parts: &Parts,
        message: &Bytes,
        around: Option<&'static str>,
    ) -> Result<(Call, Caller, Check), NotACheck> {
        let arrived = Instant::now();
        let headers = Headers::of(&parts.headers);
        let (key, caller) = self.key(parts, &headers);
        let asked = Key::new(key, &self.carriers, &parts.uri);
        let query = asked.query;
        let call = self.protocol.read(route, parts, message, asked);
        let stated = match call {
            Ok(call) if matches!(call.kind, Kind::Write { .. }) => {
                return Err(NotACheck::Write(Box::new((call, caller))));
            }
            Ok(Call { kind: Kind::Page, .. }) => return Err(NotACheck::Unmodified("a page of a listing")),
            Ok(ref call) => Stated::of(call),
            Err(_) => Stated::UNREADABLE,
        };
        let wanted = self.wanted(parts, &headers, query, stated, arrived)?;
        let call = match call {
            Ok(call) => call,
            Err(why) => return Err(NotACheck::Around(Box::new((None, wanted)), why.0)),
        };
        let around = around.or_else(|| {
            if matches!(&call.kind, Kind::Bulk(questions) if questions.is_empty()) {
                Some("a bulk without questions")
            } else if headers.are_unkeyable() {
                Some("a conditional, partial or signed request")
            } else if headers.override_request(self.overrides) {
                Some(OVERRIDDEN)
            } else if drops_headers(&headers) {
                Some("a Connection header that names others")
            } else if !message.is_empty() && headers.has(Header::ContentEncoding) {
                Some("a compressed body")
            } else {
                None
            }
        });
        if let Some(why) = around {
            return Err(NotACheck::Around(Box::new((Some(call), wanted)), why));
        }
        Ok((call, caller, Check { arrived, wanted }))
    }

    /// What every question's fingerprint begins with: by whom it is asked, of whom, and in which form.
    fn key(&self, parts: &Parts, headers: &Headers<'_>) -> (FingerprintBuilder, Caller) {
        let mut key = self.key_prefix.clone();
        let ends = self.credentials.add(parts, headers, &self.carriers, &mut key);
        let caller = Caller { key: key.clone(), ends };
        if let Some(authority) = parts.uri.authority() {
            key.add(Part::Store, authority.as_str().as_bytes());
        }
        // Services differ in which of several hosts they believe. A browser takes a reply only if it names its origin.
        for header in [
            Header::Host,
            Header::ForwardedHost,
            Header::ForwardedPrefix,
            Header::Accept,
            Header::AcceptEncoding,
            Header::Origin,
        ] {
            for value in headers.values(header) {
                key.add_nth(Part::Header, header.number(), value.as_bytes());
            }
        }
        for name in &self.key_headers {
            for value in headers.named(name) {
                key.add_named(Part::Header, name.as_str().as_bytes(), value.as_bytes());
            }
        }
        (key, caller)
    }

    fn answer<B>(&self, parts: Parts, message: Bytes, call: Call, caller: &Caller, check: Check) -> Step<B> {
        let Check { arrived, wanted } = check;
        let has_ended = caller.ends.is_some_and(|ends| ends <= arrived);
        let (call, why_unkept) = if has_ended && matches!(call.kind, Kind::Check(_) | Kind::Bulk(_)) {
            // The inner service is to judge it. No memory and no shared call may stand in for that.
            let kind = Kind::Read { stream: false };
            (Call { kind, ..call }, ENDED)
        } else {
            (call, NEVER_KEPT)
        };
        let asking = |parts: Parts, message, call: Call, wanted| {
            let timeout = self.protocol.timeout(call.route, &parts.headers);
            Box::new(Asking {
                parts,
                message,
                call,
                wanted,
                arrived,
                caller: caller.number(),
                timeout,
                credential_ends: caller.ends,
            })
        };
        match &call.kind {
            Kind::Check(_) if wanted.unmodified => Step::Check(asking(parts, message, call, wanted), Miss::Full),
            Kind::Check(question) => match self.cache.look(*question, &wanted.freshness, arrived) {
                Ok(decision) => {
                    self.count_lag(&wanted, decision.label());
                    let refresh = self.cache.wants_background_read(arrived).then(|| parts.clone());
                    let reply = self.kept_reply(
                        call.route,
                        parts.headers,
                        &decision.value,
                        wanted.replace_cookie,
                        CacheStatus::Hit,
                    );
                    match refresh {
                        None => Step::Reply(reply),
                        Some(parts) => Step::Refresh(reply, asking(parts, message, call, wanted)),
                    }
                }
                Err(why) => Step::Check(asking(parts, message, call, wanted), why),
            },
            Kind::Bulk(questions) => {
                let merge = if self.settings.mix_revisions {
                    Merge::Mixed
                } else {
                    Merge::OneSnapshot
                };
                let nothing = || Served::nothing(questions.len(), Miss::Full);
                let served = if wanted.unmodified {
                    nothing()
                } else {
                    self.cache.gather(questions, &wanted.freshness, arrived, merge)
                };
                let found: Vec<Option<&StoredResponse>> = served.kept().collect();
                if !self.protocol.needed(&call, &message, &found).is_empty() {
                    return Step::Bulk(asking(parts, message, call, wanted), served);
                }
                let refresh = self.cache.wants_background_read(arrived).then(|| parts.clone());
                let zookie = self.zookie_at(served.at.as_ref(), served.found.iter().flatten());
                let merged = self.merge(&call, &message, &found, zookie);
                let status = if served.is_mixed() {
                    CacheStatus::MixedHit
                } else {
                    CacheStatus::Hit
                };
                let reply = self.kept_reply(call.route, parts.headers, &merged, wanted.replace_cookie, status);
                match refresh {
                    None => Step::Reply(reply),
                    Some(parts) => Step::Refresh(reply, asking(parts, message, call, wanted)),
                }
            }
            Kind::Read { .. } => Step::Read(asking(parts, message, call, wanted), why_unkept),
            // These never come here.
            Kind::Write { .. } | Kind::Page => {
                Step::Reply(self.reject(call.route, &parts.headers, &Rejection::UpstreamFailed))
            }
        }
    }
}
