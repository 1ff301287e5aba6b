use std::mem;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Request, Response};
use tokio::time::Instant;

use crate::cache::{Fingerprint, Merge, Miss, Questions, Served};
use crate::layer::asked::Asked;
use crate::layer::body::{End, Read, Replay, RequestBody, StoredBody};
use crate::layer::headers::{Header, Headers, drops_headers};
use crate::layer::pending::{LookedUp, Pending, Requirement};
use crate::layer::remembered::Objects;
use crate::layer::request::key::Caller;
use crate::layer::request::missed::Missed;
use crate::layer::request::tokens::{Denied, Stated};
use crate::layer::response::CacheStatus;
use crate::layer::state::LayerState;
use crate::layer::upstream::{Bypass, NEVER_STORED, Touched, Write};
use crate::objects::AboutObjects;
use crate::protocol::{Call, Key, Kind, Protocol, Received, Rejection, Route, StoredResponse};
use crate::token::token_within;

const OVERRIDDEN: &str = "a header that may change the request's path or method";
const ENDED: &str = "the credential has ended";
const PASS_THROUGH: &str = "pass-through is on";

/// What to do with a request.
pub(in crate::layer) enum Step<B> {
    /// Reply from memory, or with a rejection.
    Reply(Response<StoredBody>),
    /// Reply from memory, and make a background read, which is due.
    ReplyAndRead(Response<StoredBody>, Arc<Pending>, Questions),
    /// Forward around the cache, for this reason. The requirement is stated already.
    Forward(Request<B>, &'static str),
    /// The same, and compare the reply with the request's tokens.
    ForwardAndCompare(Request<B>, Box<Bypass>),
    /// Forward a write, and learn from its reply.
    Write(Request<B>, Write),
    /// Forward a read whose answer is never stored, for this reason, no lower than its floor.
    Read(Box<Pending>, &'static str),
    /// Ask one question that the cache could not answer.
    Check(Arc<Pending>, Questions, Miss),
    /// Ask those of several questions that the cache could not answer.
    Bulk(Arc<Pending>, Arc<[Fingerprint]>, Served<StoredResponse>),
    /// Look up what is remembered of the request's objects, and then take the next step.
    LookUp(Box<LookUp<B>>),
}

/// A request whose objects have to be looked up.
pub(in crate::layer) struct LookUp<B> {
    pub(in crate::layer) about: AboutObjects,
    pub(in crate::layer) arrived: Instant,
    pub(in crate::layer) route: Route,
    pub(in crate::layer) parts: Parts,
    body: Carried<B>,
}

/// A request's body.
enum Carried<B> {
    Unread(B),
    Read(Bytes, End),
}

/// What a request is.
#[expect(clippy::large_enum_variant, reason = "a hit makes no box")]
pub(super) enum Class {
    /// A check, or another read.
    Read(Call, Caller, Requirement),
    Write(Box<(Call, Caller)>),
    /// The tokens of its objects have to be looked up first.
    LookUp(AboutObjects),
    /// It can't be answered from the cache, and is forwarded with its requirement. `None` where its message can't be read.
    Bypass(Box<(Option<Call>, Requirement)>, &'static str),
    /// A page of a listing: its cursor names its revision.
    Page,
}

impl<B> Step<B> {
    fn look_up(about: AboutObjects, arrived: Instant, route: Route, parts: Parts, body: Carried<B>) -> Self {
        Self::LookUp(Box::new(LookUp {
            about,
            arrived,
            route,
            parts,
            body,
        }))
    }
}

impl<P: Protocol> LayerState<P> {
    /// What to do with a request whose parts say it all.
    pub(in crate::layer) fn classify_by_parts<B: RequestBody>(&self, route: Route, parts: Parts, body: B) -> Step<B> {
        self.classify_unread(route, parts, body, None, Instant::now())
    }

    fn classify_unread<B: RequestBody>(
        &self,
        route: Route,
        parts: Parts,
        body: B,
        looked_up: Option<&LookedUp>,
        arrived: Instant,
    ) -> Step<B> {
        let message = Bytes::new();
        let bypass = (!body.is_end_stream()).then_some("a body where none was expected");
        let class = self.class(route, &parts, &message, bypass, looked_up, arrived);
        self.count_class(&class);
        if let Ok(Class::LookUp(about)) = class {
            let body = Carried::Unread(body);
            return Step::look_up(about, arrived, route, parts, body);
        }
        self.step(route, parts, Some(&message), body, class, arrived)
    }

    /// What to do with a request whose objects have been looked up.
    pub(in crate::layer) fn resume<B: RequestBody>(&self, request: LookUp<B>, looked_up: &LookedUp) -> Step<B> {
        let LookUp {
            arrived,
            route,
            parts,
            body,
            ..
        } = request;
        match body {
            Carried::Unread(body) => self.classify_unread(route, parts, body, Some(looked_up), arrived),
            Carried::Read(message, end) => self.classify_read(route, parts, message, end, Some(looked_up), arrived),
        }
    }

    /// What to do with a request whose body has been read.
    pub(in crate::layer) fn classify<B: RequestBody>(&self, route: Route, parts: Parts, read: Read<B>) -> Step<B> {
        let arrived = Instant::now();
        match read {
            Read::Whole {
                message,
                trailers: None,
                end,
            } => self.classify_read(route, parts, message, end, None, arrived),
            unread => {
                let class = match self.protocol.names_touched(route) {
                    // A write is one whatever its body says.
                    true => self.class(route, &parts, &Bytes::new(), None, None, arrived),
                    false => {
                        let why = "a body over the limit, broken off, or with trailers";
                        self.class_by_parts(route, &parts, why, arrived)
                    }
                };
                self.count_class(&class);
                self.step(route, parts, None, unread.into_body(), class, arrived)
            }
        }
    }

    fn classify_read<B: RequestBody>(
        &self,
        route: Route,
        mut parts: Parts,
        message: Bytes,
        end: End,
        looked_up: Option<&LookedUp>,
        arrived: Instant,
    ) -> Step<B> {
        let message = match self.unwrap_message(route, &mut parts, message) {
            Ok(message) => message,
            Err(why) => return Step::Reply(self.reject(route, &parts.headers, &why)),
        };
        let class = self.class(route, &parts, &message, None, looked_up, arrived);
        self.count_class(&class);
        match class {
            Ok(Class::Read(call, caller, requirement)) => {
                self.answer(route, parts, message, end, call, &caller, requirement, arrived)
            }
            Ok(Class::LookUp(about)) => {
                let body = Carried::Read(message, end);
                Step::look_up(about, arrived, route, parts, body)
            }
            other => {
                let body = B::replay(Replay::read(message.clone(), None, end));
                self.step(route, parts, Some(&message), body, other, arrived)
            }
        }
    }

    fn count_class(&self, class: &Result<Class, Denied>) {
        match class {
            Ok(Class::Read(_, _, requirement)) => self.count_remembered(requirement),
            Ok(Class::Bypass(bypass, _)) => self.count_remembered(&bypass.1),
            _ => {}
        }
    }

    /// What a request is whose message can't be read.
    fn class_by_parts(
        &self,
        route: Route,
        parts: &Parts,
        why: &'static str,
        arrived: Instant,
    ) -> Result<Class, Denied> {
        let headers = Headers::of(&parts.headers);
        let query = self.carriers.outline(&parts.uri);
        let mut requirement = self.requirement(parts, &headers, query, Stated::UNREADABLE, arrived)?;
        self.remember(route, parts, &Bytes::new(), None, &mut requirement, None, arrived);
        Ok(Class::Bypass(Box::new((None, requirement)), why))
    }

    /// What a request is. Tokens, consistency and `require_token` are judged before anything is judged uncacheable.
    pub(super) fn class(
        &self,
        route: Route,
        parts: &Parts,
        message: &Bytes,
        bypass: Option<&'static str>,
        looked_up: Option<&LookedUp>,
        arrived: Instant,
    ) -> Result<Class, Denied> {
        let headers = Headers::of(&parts.headers);
        let (key, caller) = self.key(parts, &headers);
        let key = Key::new(key, &self.carriers, &parts.uri);
        let query = key.query;
        let call = self.protocol.read(route, parts, message, key);
        let stated = match call {
            Ok(call) if matches!(call.kind, Kind::Write { .. }) => return Ok(Class::Write(Box::new((call, caller)))),
            Ok(Call { kind: Kind::Page, .. }) => return Ok(Class::Page),
            Ok(ref call) => Stated::of(call),
            Err(_) => Stated::UNREADABLE,
        };
        let mut requirement = self.requirement(parts, &headers, query, stated, arrived)?;
        let remembered = self.remember(
            route,
            parts,
            message,
            call.as_ref().ok(),
            &mut requirement,
            looked_up,
            arrived,
        );
        if let Objects::LookUp(about) = remembered {
            return Ok(Class::LookUp(about));
        }
        let call = match call {
            Ok(call) => call,
            Err(why) => return Ok(Class::Bypass(Box::new((None, requirement)), why.0)),
        };
        let has_no_questions = matches!(&call.kind, Kind::Bulk(questions) if questions.is_empty());
        let bypass = bypass
            .or(has_no_questions.then_some("a bulk without questions"))
            .or_else(|| self.uncacheable(&headers, message))
            .or_else(|| (call.kind.questions() > 0 && self.cache.passes_through()).then_some(PASS_THROUGH));
        Ok(match bypass {
            Some(why) => Class::Bypass(Box::new((Some(call), requirement)), why),
            None => Class::Read(call, caller, requirement),
        })
    }

    /// Why a request with these headers can't be answered from the cache.
    fn uncacheable(&self, headers: &Headers<'_>, message: &Bytes) -> Option<&'static str> {
        if headers.are_unkeyable() {
            Some("a conditional, partial or signed request")
        } else if headers.override_request(self.overrides) {
            Some(OVERRIDDEN)
        } else if drops_headers(headers) {
            Some("a Connection header that names others")
        } else if !message.is_empty() && headers.has(Header::ContentEncoding) {
            Some("a compressed body")
        } else {
            None
        }
    }

    /// `whole` is the body, if it was read whole or is not expected.
    fn step<B: RequestBody>(
        &self,
        route: Route,
        parts: Parts,
        whole: Option<&Bytes>,
        body: B,
        class: Result<Class, Denied>,
        arrived: Instant,
    ) -> Step<B> {
        let message = whole.cloned().unwrap_or_default();
        match class {
            Ok(Class::Read(call, caller, requirement)) => {
                self.answer(route, parts, message, End::Head, call, &caller, requirement, arrived)
            }
            Ok(Class::Write(write)) => {
                let (call, caller) = *write;
                let caller = caller.number();
                if Headers::of(&parts.headers).override_request(self.overrides) {
                    let request = Request::from_parts(parts, body);
                    return match &self.objects {
                        Some(objects) => {
                            let touched = Touched::new(objects, objects.touched_all());
                            Step::Write(request, Write::overridden(route, call, caller, touched, OVERRIDDEN))
                        }
                        // It may do something else, so its reply says nothing about a write.
                        None => Step::Forward(request, OVERRIDDEN),
                    };
                }
                let touched = self.objects.as_ref().map(|objects| {
                    let keys = self.touched(objects, route, &parts, whole, &call);
                    Touched::new(objects, keys)
                });
                Step::Write(
                    Request::from_parts(parts, body),
                    Write::new(route, call, caller, touched),
                )
            }
            Ok(Class::Bypass(bypass, why)) => {
                let (call, requirement) = *bypass;
                self.bypass(route, parts, &message, body, call, requirement, why)
            }
            // Whoever asks for a step looks it up.
            Ok(Class::LookUp(about)) => Step::look_up(about, arrived, route, parts, Carried::Unread(body)),
            Ok(Class::Page) => Step::Forward(Request::from_parts(parts, body), "a page of a listing"),
            Err(Denied::Forward(why)) => {
                // The upstream would not know of what the headers demand.
                if self.protocol.states_freshness(route) && self.raises_floor(&parts) {
                    return Step::Reply(self.reject(route, &parts.headers, &Rejection::FloorUnstated));
                }
                let mut parts = parts;
                parts.extensions.insert(self.asked_unread(&parts));
                Step::Forward(Request::from_parts(parts, body), why)
            }
            Err(Denied::Reject(why)) => Step::Reply(self.reject(route, &parts.headers, &why)),
        }
    }

    /// Forwards a request around the cache, with its requirement stated.
    #[expect(clippy::too_many_arguments, reason = "all that is known of the request")]
    fn bypass<B: RequestBody>(
        &self,
        route: Route,
        parts: Parts,
        message: &Bytes,
        body: B,
        call: Option<Call>,
        requirement: Requirement,
        why: &'static str,
    ) -> Step<B> {
        let request = match self.stated(route, &parts, message, call.as_ref(), &requirement) {
            Ok((parts, None)) => Request::from_parts(parts, body),
            Ok((parts, Some(message))) => Request::from_parts(parts, B::replay(Replay::whole(message, None))),
            Err(why) => return Step::Reply(self.reject(route, &parts.headers, &why)),
        };
        // In pass-through the reply still names its zookie, so it is read.
        if requirement.floors.is_empty() && !self.cache.passes_through() {
            return Step::Forward(request, why);
        }
        let bypass = Bypass::new(route, call, message.clone(), parts.headers, requirement, why);
        Step::ForwardAndCompare(request, Box::new(bypass))
    }

    /// What a request's carriers demand when one has a token that can't be read.
    fn asked_unread(&self, parts: &Parts) -> Asked {
        let mut texts = Vec::new();
        let visited = self.carriers.visit(&parts.headers, &parts.uri, |_, text| {
            let text = text.ok().map(|text| match self.verifies() {
                true => token_within(text).unwrap_or(text),
                false => text,
            });
            texts.push(text.map(str::to_owned));
        });
        if visited.is_err() {
            texts.push(None);
        }
        Asked::of(texts.iter().map(Option::as_deref), &parts.headers)
    }

    /// Answers from the cache, or says what to ask upstream.
    #[expect(clippy::too_many_arguments, reason = "all that is known of the request")]
    fn answer<B>(
        &self,
        route: Route,
        mut parts: Parts,
        message: Bytes,
        end: End,
        call: Call,
        caller: &Caller,
        requirement: Requirement,
        arrived: Instant,
    ) -> Step<B> {
        let pending = |parts: Parts, message, call: Call, requirement| Pending {
            timeout: self.protocol.timeout(route, &parts.headers),
            route,
            parts,
            message,
            end,
            call,
            requirement,
            arrived,
            caller: caller.number(),
            credential_ends: caller.ends,
        };
        let replace_cookie = requirement.replace_cookie;
        // The inner service judges a credential that has ended. Neither memory nor a shared call may do so for it.
        let has_ended = caller.ends.is_some_and(|ends| ends <= arrived);
        match &call.kind {
            Kind::Check(_) | Kind::Bulk(_) if has_ended => {
                let kind = Kind::Read { stream: false };
                let call = Call { kind, ..call };
                Step::Read(Box::new(pending(parts, message, call, requirement)), ENDED)
            }
            Kind::Check(question) => {
                let question = *question;
                let found = match requirement.no_entry {
                    Some(why) => Err(why),
                    None => self.cache.find(question, &requirement.freshness, arrived),
                };
                let decision = match found {
                    Ok(decision) => decision,
                    Err(miss) => {
                        let mut why = self.cache.why_missed(question, miss, arrived);
                        let why_one = std::iter::once(Some(&mut why));
                        let missed = Missed {
                            route,
                            parts: &parts,
                            message: &message,
                            caller,
                        };
                        self.note_misses(missed, &[question], why_one);
                        self.cache.count(question, Err(why), arrived);
                        let pending = pending(parts, message, call, requirement);
                        let questions = Questions::one(question, pending.caller);
                        return Step::Check(Arc::new(pending), questions, why);
                    }
                };
                self.cache.count(question, Ok(&decision), arrived);
                self.count_lag(&requirement, decision.label());
                let reads = self.cache.wants_background_read(arrived);
                let headers = own_or_clone(&mut parts.headers, reads);
                let reply = self.stored_reply(route, headers, &decision.value, replace_cookie, CacheStatus::Hit);
                if !reads {
                    return Step::Reply(reply);
                }
                let pending = pending(parts, message, call, requirement);
                let questions = Questions::one(question, pending.caller);
                Step::ReplyAndRead(reply, Arc::new(pending), questions)
            }
            Kind::Bulk(each) => {
                let mut served = match (requirement.no_entry, self.settings.mix_revisions) {
                    (Some(why), _) => Served::nothing(each.len(), why),
                    (None, mix) => {
                        let merge = if mix { Merge::Mixed } else { Merge::OneSnapshot };
                        self.cache.gather(each, &requirement.freshness, arrived, merge)
                    }
                };
                let misses = served.found.iter_mut().map(|found| found.as_mut().err());
                let missed = Missed {
                    route,
                    parts: &parts,
                    message: &message,
                    caller,
                };
                self.note_misses(missed, each, misses);
                self.cache.count_each(each, &served, arrived);
                let found: Vec<Option<&StoredResponse>> = served.stored().collect();
                if !self
                    .protocol
                    .needed(Received::new(route, &call, &message), &found)
                    .is_empty()
                {
                    let each = each.as_slice().into();
                    return Step::Bulk(Arc::new(pending(parts, message, call, requirement)), each, served);
                }
                let zookie = self.zookie_at(served.at.as_ref(), served.found.iter().flatten());
                let merged = self.merge(Received::new(route, &call, &message), &found, zookie);
                let status = match served.is_mixed() {
                    true => CacheStatus::MixedHit,
                    false => CacheStatus::Hit,
                };
                let reads = self.cache.wants_background_read(arrived);
                let headers = own_or_clone(&mut parts.headers, reads);
                let reply = self.stored_reply(route, headers, &merged, replace_cookie, status);
                if !reads {
                    return Step::Reply(reply);
                }
                let each = each.as_slice().into();
                let pending = pending(parts, message, call, requirement);
                let questions = self.cache.questions(each, &pending.message, pending.caller);
                Step::ReplyAndRead(reply, Arc::new(pending), questions)
            }
            // `class` has sorted out writes and pages.
            Kind::Read { .. } | Kind::Write { .. } | Kind::Page => {
                Step::Read(Box::new(pending(parts, message, call, requirement)), NEVER_STORED)
            }
        }
    }
}

/// A reply takes the request's header map for its own, unless the request is `asked_again`.
fn own_or_clone(headers: &mut HeaderMap, asked_again: bool) -> HeaderMap {
    match asked_again {
        true => headers.clone(),
        false => mem::take(headers),
    }
}
