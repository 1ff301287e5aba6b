use std::future::poll_fn;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body::Body;
use tokio::time::Instant;
use tower_service::Service;

use super::asked::Asked;
use super::body::{Read, Reader, Replay, RequestBody, ZookieBody};
use super::decide::Asking;
use super::headers::Headers;
use super::keeping::Keeping;
use super::shared::Shared;
use super::wanted::{CONSISTENCY, Wanted};
use crate::cache::{Item, Purpose, ReadAt, Turn, Upstream};
use crate::consistency::{Consistency, Floor};
use crate::protocol::{Call, Protocol, Rejection, Reply, ReplyOutcome, Route, StoredResponse};
use crate::revision::Revision;
use crate::token::{Carrier, Token, TokenError, Zookie};

/// What of a request belongs to one caller's call alone, not to a call that others share.
const OF_ONE_CALLER: [HeaderName; 11] = [
    HeaderName::from_static("grpc-timeout"),
    // Whoever shares the reply can read it only if it is not compressed.
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

/// The inner reply on its way to whoever caused the call, whole.
pub(super) struct Slot<R: Body, E>(Arc<Mutex<Content<R, E>>>);

type Content<R, E> = Option<Result<OwnReply<R>, E>>;

/// An inner reply, and its token.
pub(super) struct OwnReply<R: Body> {
    pub(super) response: Response<ZookieBody<R>>,
    pub(super) token: Option<Arc<Token>>,
}

impl<R: Body, E> Slot<R, E> {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(None)))
    }

    fn fill(&self, reply: Result<OwnReply<R>, E>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(reply);
    }

    pub(super) fn take(&self) -> Option<Result<OwnReply<R>, E>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<R: Body, E> Clone for Slot<R, E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// Asks the inner service the questions `open` of a request.
pub(super) struct Forward<S, P, B, R: Body, E> {
    pub(super) shared: Arc<Shared<P>>,
    pub(super) service: S,
    pub(super) asking: Arc<Asking>,
    pub(super) open: Arc<[usize]>,
    pub(super) slot: Slot<R, E>,
    pub(super) body: PhantomData<fn() -> B>,
}

impl<S: Clone, P, B, R: Body, E> Clone for Forward<S, P, B, R, E> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            service: self.service.clone(),
            asking: Arc::clone(&self.asking),
            open: Arc::clone(&self.open),
            slot: self.slot.clone(),
            body: PhantomData,
        }
    }
}

impl<S, P, B, R> Forward<S, P, B, R, S::Error>
where
    S: Service<Request<B>, Response = Response<R>, Error: Send, Future: Send> + Clone + Send + 'static,
    B: RequestBody,
    R: Body<Data = Bytes, Error: Send> + Send + 'static,
    P: Protocol,
{
    pub(super) async fn ask(self, turn: Turn) -> Upstream<StoredResponse> {
        match turn.purpose {
            Purpose::Probe => self.probe(turn).await,
            Purpose::Answer | Purpose::AnswerAtMore | Purpose::Background => self.answer(turn).await,
        }
    }

    async fn answer(self, turn: Turn) -> Upstream<StoredResponse> {
        let Self {
            shared,
            mut service,
            asking,
            open,
            slot,
            ..
        } = self;
        if let Err(error) = poll_fn(|cx| service.poll_ready(cx)).await {
            slot.fill(Err(error));
            return Upstream::Failed;
        }
        let Some(request) = shared.request(&asking, &open, &turn.ask, turn.shared) else {
            return if turn.purpose == Purpose::AnswerAtMore {
                Upstream::RevisionRejected
            } else {
                Upstream::Failed
            };
        };
        turn.begin();
        let response = match service.call(request).await {
            Ok(response) => response,
            Err(error) => {
                slot.fill(Err(error));
                return Upstream::Failed;
            }
        };
        drop(service);
        let (parts, body) = response.into_parts();
        let (body, trailers) = match read_reply(body, shared.settings.max_reply_body).await {
            Read::Whole { message, trailers } => (message, trailers),
            Read::Unread(replay) => {
                let token = shared.reply_token(&parts.headers, None);
                let response = Response::from_parts(parts, ZookieBody::replayed(replay));
                slot.fill(Ok(OwnReply { response, token }));
                return Upstream::Unshared;
            }
        };
        let reply = Reply {
            status: parts.status,
            headers: &parts.headers,
            body: &body,
            trailers: trailers.as_ref(),
        };
        let learned = shared.protocol.learn(&asking.call, &asking.message, &open, &reply);
        let keeping = Keeping::of(&asking.parts.headers, &parts.headers);
        let (items, message_token) = match learned {
            ReplyOutcome::RevisionRejected if turn.purpose == Purpose::AnswerAtMore => {
                return Upstream::RevisionRejected;
            }
            ReplyOutcome::Answers { items, token } => (Some(items), token),
            ReplyOutcome::Nothing
            | ReplyOutcome::NotWritten
            | ReplyOutcome::Wrote { .. }
            | ReplyOutcome::RevisionRejected => (None, None),
        };
        let token = shared.reply_token(&parts.headers, message_token.as_deref());
        let response = Response::from_parts(parts, ZookieBody::stored(body, trailers));
        let upstream = match items {
            None => Upstream::Unshared,
            Some(items) => {
                if items.iter().any(|known| known.store) {
                    shared.count_keeping(keeping);
                }
                let zookie = match &token {
                    Some(token) => Some(token.zookie.clone()),
                    None => {
                        let asked_at = turn.ask.revision().filter(|_| turn.shared);
                        asked_at.and_then(|revision| shared.memo.format().encode(revision))
                    }
                };
                let credential_lives = asking
                    .credential_ends
                    .map(|ends| ends.saturating_duration_since(Instant::now()));
                let window_lives = asking.call.unpinned.then(|| shared.cache.bound());
                let items = items.into_iter().map(|known| Item {
                    value: StoredResponse {
                        zookie: zookie.clone(),
                        ..known.response
                    },
                    keep: known.store && keeping != Keeping::Never,
                    expires_in: [known.expires_in, keeping.lifetime(), credential_lives, window_lives]
                        .into_iter()
                        .flatten()
                        .min(),
                });
                let revision = token.as_ref().map(|token| token.revision.clone());
                Upstream::Answered {
                    items: items.collect(),
                    revision,
                }
            }
        };
        slot.fill(Ok(OwnReply { response, token }));
        upstream
    }
}

impl<P: Protocol> Shared<P> {
    /// The request that asks the questions `open` at `ask`. `None` where no token can say that. Of a `shared` one nothing is
    /// spelled by its caller.
    pub(super) fn request<B: RequestBody>(
        &self,
        asking: &Asking,
        open: &[usize],
        ask: &ReadAt,
        shared: bool,
    ) -> Option<Request<B>> {
        let Asking {
            parts, message, call, ..
        } = asking;
        let zookie = match ask.revision() {
            None => None,
            Some(revision) => Some(self.spelled(&asking.wanted, revision, shared)?),
        };
        let mut parts = parts.clone();
        self.tell(&mut parts, call.route, consistency(ask), zookie.clone())?;
        if shared {
            strip_own(&mut parts.headers);
        }
        let body = match self.protocol.ask(call, message, open, ask, zookie.as_ref()) {
            None => message.clone(),
            Some(body) => {
                set_length(&mut parts.headers, &body);
                body
            }
        };
        Some(Request::from_parts(parts, B::replay(Replay::whole(body, None))))
    }

    /// A token of `revision`: the caller's own, if it is that and no one else sees it.
    fn spelled(&self, wanted: &Wanted, revision: &Revision, shared: bool) -> Option<Zookie> {
        let demanded = wanted
            .freshness
            .revision()
            .or(wanted.floors.top().map(|top| &top.revision));
        match &wanted.own_zookie {
            Some(own) if !shared && demanded == Some(revision) => Some(own.clone()),
            _ => self.memo.format().encode(revision),
        }
    }

    /// What a request is asked at whose answer is never stored. `None` where no one read covers all floors.
    pub(super) fn read_at_unstored(&self, wanted: &Wanted, call: Option<&Call>) -> Option<ReadAt> {
        if self.has_doubtful_cookie(wanted) {
            Some(ReadAt::Head)
        } else if call.is_some_and(|call| call.token.is_some()) {
            wanted.read_at_unmodified()
        } else {
            self.cache.read_at_unstored(&wanted.freshness)
        }
    }

    /// Whether the request's only tokens are cookies, which a browser sends by itself, and nothing says that they are of the
    /// store that answers here. Head covers them if they are.
    fn has_doubtful_cookie(&self, wanted: &Wanted) -> bool {
        let knowledge = self.cache.knowledge();
        let known = |floor: &Floor| knowledge.is_of_known_store(&floor.revision);
        !wanted.explicit && !wanted.floors.iter().all(known)
    }

    /// The head of a request that is forwarded around the cache, in which its requirement is stated, and its message where
    /// that has to say so.
    pub(super) fn stated(
        &self,
        route: Route,
        parts: &Parts,
        message: &Bytes,
        call: Option<&Call>,
        wanted: &Wanted,
    ) -> Result<(Parts, Option<Bytes>), Rejection> {
        let mut parts = parts.clone();
        let in_message = self.protocol.states_freshness(route);
        if in_message && !self.raises_floor(&parts.headers, &parts.uri) {
            return Ok((parts, None));
        }
        let ask = self.read_at_unstored(wanted, call).ok_or(Rejection::TokensDoNotJoin)?;
        // Also beside a stricter consistency, which a message can't state together with a token.
        let doubtful = self.has_doubtful_cookie(wanted);
        let top = wanted.floors.top().filter(|_| !doubtful);
        let stated = ask.revision().or(top.map(|top| &top.revision));
        let zookie = match stated {
            None => None,
            Some(revision) => Some(
                self.spelled(wanted, revision, false)
                    .ok_or(Rejection::TokensDoNotJoin)?,
            ),
        };
        let consistency = match doubtful {
            true => Consistency::FullyConsistent,
            false => wanted.consistency(&ask),
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
                self.protocol.ask(call, message, &all, &ask, zookie)
            }
        };
        self.tell(&mut parts, route, consistency, zookie)
            .ok_or(Rejection::FloorUnstated)?;
        if let Some(body) = &body {
            set_length(&mut parts.headers, body);
        }
        Ok((parts, body))
    }

    /// Counts where a reply's own headers shorten the life of its answers.
    fn count_keeping(&self, keeping: Keeping) {
        match keeping {
            Keeping::Never => self.cache.counters().not_stored_by_reply(),
            Keeping::For(lifetime) if lifetime < self.cache.time_to_live() => self.cache.counters().kept_shorter(),
            Keeping::For(_) | Keeping::Unsaid => {}
        }
    }

    /// Puts what is asked into a head, in place of all that the caller's carriers said.
    pub(super) fn tell(
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

    /// The header in which the inner service finds its token.
    pub(super) fn token_header(&self) -> HeaderName {
        let header = self.carriers.places().iter().find_map(|place| match place {
            Carrier::Header(name) => Some(name.clone()),
            _ => None,
        });
        header.unwrap_or(HeaderName::from_static("zookie"))
    }

    /// The token of a reply, in its message or in a header. One that can't be read counts as none: the answer then claims no
    /// revision, and satisfies no floor.
    pub(super) fn reply_token(&self, headers: &HeaderMap, message_token: Option<&str>) -> Option<Arc<Token>> {
        self.read_token(headers, message_token).and_then(Result::ok)
    }

    /// The token of a reply, or why it can't be read. `None`: the reply has no token.
    pub(super) fn read_token(
        &self,
        headers: &HeaderMap,
        message_token: Option<&str>,
    ) -> Option<Result<Arc<Token>, Arc<TokenError>>> {
        let header = headers.get(self.token_header()).and_then(|value| value.to_str().ok());
        Some(self.memo.parse(message_token.or(header)?))
    }
}

pub(super) fn consistency(ask: &ReadAt) -> Consistency {
    match ask {
        ReadAt::Any => Consistency::MinimizeLatency,
        ReadAt::AtLeast(_) | ReadAt::Unmodified(_) => Consistency::AtLeastAsFresh,
        ReadAt::Exact(_) => Consistency::AtExactSnapshot,
        ReadAt::Head => Consistency::FullyConsistent,
    }
}

fn set_length(headers: &mut HeaderMap, body: &Bytes) {
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
pub(super) fn strip_own(headers: &mut HeaderMap) {
    OF_ONE_CALLER.iter().for_each(|name| drop(headers.remove(name)));
}

pub(super) async fn read_reply<R: Body<Data = Bytes>>(body: R, limit: usize) -> Read<std::pin::Pin<Box<R>>> {
    let mut reader = Reader::new(Box::pin(body), limit);
    poll_fn(|cx| reader.poll_read(cx)).await
}
