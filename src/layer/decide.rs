use std::time::Duration;

use bytes::Bytes;
use http::request::Parts as Head;
use http::{Request, Response};
use tokio::time::Instant;

use super::body::{Read, RequestBody};
use super::cache_status::CacheStatus;
use super::headers::{Header, Headers};
use super::read::NEVER_KEPT;
use super::service::{Stored, unread_body};
use super::shared::Shared;
use super::wanted::{Rejected, Wanted};
use crate::cache::{Merge, Miss, Part, Parts, Served};
use crate::protocol::{Call, Kept, Key, Kind, Protocol, Refusal, Route};

/// What to do with a request.
pub(super) enum Step<B> {
    /// The reply is there.
    Reply(Response<Stored>),
    /// To be handed on as it came.
    Bypass(Request<B>, &'static str),
    /// To be handed on; its reply teaches. Whom the cap on flights counts it for.
    Write(Request<B>, Call, u64),
    /// To be handed on no lower than its floor, and why nothing is kept of it.
    Read(Box<Asking>, &'static str),
    /// One question to ask.
    Check(Box<Asking>, Miss),
    /// Several questions, of which some are answered.
    Bulk(Box<Asking>, Served<Kept>),
}

/// A check request that has to be forwarded.
#[derive(Debug)]
pub(super) struct Asking {
    pub(super) head: Head,
    pub(super) message: Bytes,
    pub(super) call: Call,
    pub(super) wanted: Wanted,
    pub(super) arrived: Instant,
    /// Whom the cap on flights counts this request for.
    pub(super) caller: u64,
    /// How long the caller is ready to wait, counted from its arrival.
    pub(super) patience: Option<Duration>,
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
    key: Parts,
    ends: Option<Instant>,
}

impl Caller {
    /// Whom the cap on flights counts the request for.
    fn number(&self) -> u64 {
        self.key.finish().low_half()
    }
}

const A_PAGE: &str = "a page of a listing";
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

impl<P: Protocol> Shared<P> {
    pub(super) fn decide_by_head<B: RequestBody>(&self, route: Route, head: Head, body: B) -> Step<B> {
        let message = Bytes::new();
        match self.understand(route, &head, &message) {
            Ok((call, caller, None)) => self.write(Request::from_parts(head, body), call, &caller),
            Ok(_) if !body.is_end_stream() => {
                self.pass_around(route, Request::from_parts(head, body), "a body where none was expected")
            }
            Ok((call, caller, Some(check))) => self.answer(head, message, call, &caller, check),
            Err(Rejected::Refuse(why)) => Step::Reply(self.refuse(route, &head.headers, &why)),
            Err(Rejected::Bypass(why)) => self.pass_around(route, Request::from_parts(head, body), why),
            Err(Rejected::Page) => Step::Bypass(Request::from_parts(head, body), A_PAGE),
        }
    }

    pub(super) fn decide_by_body<B: RequestBody>(&self, route: Route, head: Head, read: Read<B>) -> Step<B> {
        let message = match read {
            Read::Whole {
                message,
                trailers: None,
            } => message,
            unread => {
                let request = Request::from_parts(head, unread_body(unread));
                return self.pass_around(route, request, "a body over the limit, broken off, or with trailers");
            }
        };
        let whole = |message| {
            unread_body(Read::Whole {
                message,
                trailers: None,
            })
        };
        match self.understand(route, &head, &message) {
            Ok((call, caller, None)) => self.write(Request::from_parts(head, whole(message)), call, &caller),
            Ok((call, caller, Some(check))) => self.answer(head, message, call, &caller, check),
            Err(Rejected::Refuse(why)) => Step::Reply(self.refuse(route, &head.headers, &why)),
            Err(Rejected::Bypass(why)) => self.pass_around(route, Request::from_parts(head, whole(message)), why),
            Err(Rejected::Page) => Step::Bypass(Request::from_parts(head, whole(message)), A_PAGE),
        }
    }

    fn write<B>(&self, request: Request<B>, call: Call, caller: &Caller) -> Step<B> {
        if Headers::of(request.headers()).override_request(self.overrides) {
            // It may do something else, so that its reply says nothing of a write.
            return Step::Bypass(request, OVERRIDDEN);
        }
        Step::Write(request, call, caller.number())
    }

    /// Hands a request on as it came. One whose message can't be made to say what its head demands is refused: the
    /// upstream would not know of it.
    fn pass_around<B>(&self, route: Route, request: Request<B>, why: &'static str) -> Step<B> {
        let (head, body) = request.into_parts();
        if self.protocol.states_freshness(route) && self.raises_floor(&head.headers, &head.uri) {
            return Step::Reply(self.refuse(route, &head.headers, &Refusal::FloorUnstated));
        }
        Step::Bypass(Request::from_parts(head, body), why)
    }

    /// The call, who makes it, and for a check (not for a write) what it demands.
    fn understand(
        &self,
        route: Route,
        head: &Head,
        message: &Bytes,
    ) -> Result<(Call, Caller, Option<Check>), Rejected> {
        let arrived = Instant::now();
        let headers = Headers::of(&head.headers);
        let (key, caller) = self.key(head, &headers);
        let asked = Key::new(key, &self.carriers, &head.uri);
        let query = asked.query;
        let call = self
            .protocol
            .read(route, head, message, asked)
            .map_err(|why| Rejected::Bypass(why.0))?;
        match &call.kind {
            Kind::Write { .. } => return Ok((call, caller, None)),
            Kind::Page => return Err(Rejected::Page),
            Kind::Bulk(questions) if questions.is_empty() => return Err(Rejected::Bypass("a bulk without questions")),
            Kind::Bulk(_) | Kind::Check(_) | Kind::Read { .. } => {}
        }
        if headers.are_unkeyable() {
            return Err(Rejected::Bypass("a conditional, partial or signed request"));
        }
        if headers.override_request(self.overrides) {
            return Err(Rejected::Bypass(OVERRIDDEN));
        }
        if drops_headers(&headers) {
            return Err(Rejected::Bypass("a Connection header that names others"));
        }
        if !message.is_empty() && headers.has(Header::ContentEncoding) {
            return Err(Rejected::Bypass("a compressed body"));
        }
        let wanted = self.wanted(head, &headers, query, &call, arrived)?;
        let check = Check { arrived, wanted };
        Ok((call, caller, Some(check)))
    }

    /// What every question's fingerprint begins with: by whom it is asked, of whom, and in which form.
    fn key(&self, head: &Head, headers: &Headers<'_>) -> (Parts, Caller) {
        let mut key = self.key_prefix.clone();
        let ends = self.credentials.add(head, headers, &self.carriers, &mut key);
        let caller = Caller { key: key.clone(), ends };
        if let Some(authority) = head.uri.authority() {
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

    fn answer<B>(&self, head: Head, message: Bytes, call: Call, caller: &Caller, check: Check) -> Step<B> {
        let Check { arrived, wanted } = check;
        let has_ended = caller.ends.is_some_and(|ends| ends <= arrived);
        let (call, why_unkept) = if has_ended && matches!(call.kind, Kind::Check(_) | Kind::Bulk(_)) {
            // The inner service is to judge it. No memory and no shared call may stand in for that.
            let kind = Kind::Read { stream: false };
            (Call { kind, ..call }, ENDED)
        } else {
            (call, NEVER_KEPT)
        };
        let asking = |head: Head, message, call: Call, wanted| {
            let patience = self.protocol.patience(call.route, &head.headers);
            Box::new(Asking {
                head,
                message,
                call,
                wanted,
                arrived,
                caller: caller.number(),
                patience,
                credential_ends: caller.ends,
            })
        };
        match &call.kind {
            Kind::Check(question) => match self.cache.look(*question, &wanted.freshness, arrived) {
                Ok(decision) => {
                    self.count_lag(&wanted, decision.label());
                    let reply = self.kept_reply(call.route, head.headers, &decision.value, &wanted, CacheStatus::Hit);
                    Step::Reply(reply)
                }
                Err(why) => Step::Check(asking(head, message, call, wanted), why),
            },
            Kind::Bulk(questions) => {
                let merge = if self.settings.mix_revisions {
                    Merge::Mixed
                } else {
                    Merge::OneSnapshot
                };
                let served = self.cache.gather(questions, &wanted.freshness, arrived, merge);
                let found: Vec<Option<&Kept>> = served.kept().collect();
                if !self.protocol.needed(&call, &message, &found).is_empty() {
                    return Step::Bulk(asking(head, message, call, wanted), served);
                }
                let zookie = self.zookie_at(served.at.as_ref(), served.found.iter().flatten());
                let merged = self.merge(&call, &message, &found, zookie);
                let status = if served.is_mixed() {
                    CacheStatus::MixedHit
                } else {
                    CacheStatus::Hit
                };
                Step::Reply(self.kept_reply(call.route, head.headers, &merged, &wanted, status))
            }
            Kind::Read { .. } => Step::Read(asking(head, message, call, wanted), why_unkept),
            // These never come here.
            Kind::Write { .. } | Kind::Page => {
                Step::Reply(self.refuse(call.route, &head.headers, &Refusal::UpstreamFailed))
            }
        }
    }
}
