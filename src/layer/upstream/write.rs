use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Request, Response, Uri};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::cache::{BoxFuture, DecisionCache, OnRuntime, Outliving};
use crate::consistency::{Floor, Floors};
use crate::knowledge::CallStart;
use crate::layer::body::{Read, RequestBody, ZookieBody};
use crate::layer::inner::Upstream;
use crate::layer::response::mark_bypassed;
use crate::layer::schema_ends::SchemaEnds;
use crate::layer::state::LayerState;
use crate::layer::upstream::record::{Touched, Written, read_head, says_nothing_was_done};
use crate::layer::upstream::reply::{read_reply, whole};
use crate::layer::upstream::timed::Timed;
use crate::protocol::{Call, Kind, Protocol, Received, ReplyOutcome, Route, StoredResponse};
use crate::token::TokenErrorKind;

/// A write that is to be forwarded.
#[derive(Debug)]
pub(in crate::layer) struct Write {
    route: Route,
    call: Call,
    /// Whom the cap on flights counts it for.
    caller: u64,
    /// The objects whose tokens it raises, where they are remembered.
    touched: Option<Touched>,
    /// It may do something else than it seems, for this reason.
    overridden: Option<&'static str>,
}

impl Write {
    pub(in crate::layer) fn new(route: Route, call: Call, caller: u64, touched: Option<Touched>) -> Self {
        Self {
            route,
            call,
            caller,
            touched,
            overridden: None,
        }
    }

    /// A write that may do something else, so that its reply teaches nothing. Its objects are recorded all the same.
    pub(in crate::layer) fn overridden(
        route: Route,
        call: Call,
        caller: u64,
        touched: Touched,
        why: &'static str,
    ) -> Self {
        Self {
            overridden: Some(why),
            ..Self::new(route, call, caller, Some(touched))
        }
    }
}

/// Forwards a write unmodified, and learns from the reply, also when the caller has left.
///
/// A client's stream ends with its caller, who has not sent all of it.
pub(in crate::layer) async fn forward_write<S, P, B>(
    state: Arc<LayerState<P>>,
    mut inner: S,
    request: Request<B>,
    write: Write,
) -> Result<Response<ZookieBody<S::ResBody>>, S::Error>
where
    S: Upstream<B>,
    P: Protocol,
    B: RequestBody,
{
    poll_fn(|cx| inner.poll_ready(cx)).await?;
    let start = state.cache.knowledge().begin();
    let (schema, stream) = match write.call.kind {
        Kind::Write { schema, stream } => (schema, stream),
        _ => (false, false),
    };
    let route = write.route;
    let begun = Begun {
        route,
        call: write.call,
        start,
        session: state.session(request.headers(), request.uri()),
        schema: (schema && write.overridden.is_none()).then(|| SchemaWrite {
            ends: Arc::clone(&state.schema_ends),
            outcome_known: false,
        }),
        overridden: write.overridden,
    };
    if write.overridden.is_some() {
        state.cache.counters().bypassed();
    }
    let on_runtime = WithoutCaller {
        cache: state.cache.clone(),
        caller: write.caller,
    };
    let timed = Timed::begin(&state.cache);
    // What reads head after the write.
    let recording = write.touched.map(|mut touched| {
        touched.begin();
        (touched, parts_of(&request), inner.clone())
    });
    let reply = inner.call(request);
    let outcome = async move {
        let replied = match reply.await {
            Ok(reply) => Ok(begun.learn(&state, reply, timed).await),
            Err(error) => {
                timed.failed();
                Err(error)
            }
        };
        let Some((touched, parts, mut inner)) = recording else {
            return replied.map(|(response, _)| response);
        };
        let (response, written) = match replied {
            Ok(replied) => replied,
            Err(error) => {
                // Nothing is acknowledged, so nothing is owed if this fails.
                let _ = touched.record(Written::Unknown, async || Vec::new()).await;
                return Err(error);
            }
        };
        let read_head = async || read_head::<S, P, B>(&state, &mut inner, route, &parts).await;
        let is_acknowledged = !matches!(written, Written::Unknown);
        match touched.record(written, read_head).await {
            Err(error) if is_acknowledged => Ok(state.not_recorded(route, &parts.headers, &error, response)),
            _ => Ok(response),
        }
    };
    if stream {
        outcome.await
    } else {
        Outliving::new(Box::pin(outcome), on_runtime).await
    }
}

/// A copy of a request's parts.
fn parts_of<B>(request: &Request<B>) -> Parts {
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = request.method().clone();
    parts.uri = request.uri().clone();
    parts.version = request.version();
    parts.headers = request.headers().clone();
    parts.extensions = request.extensions().clone();
    parts
}

/// A write under way.
struct Begun {
    route: Route,
    call: Call,
    start: CallStart,
    /// The tokens that its caller sent.
    session: Floors,
    schema: Option<SchemaWrite>,
    overridden: Option<&'static str>,
}

impl Begun {
    /// Learns from a write's reply: the reply to pass on, and how the write ended.
    async fn learn<P, R>(
        mut self,
        state: &LayerState<P>,
        reply: Response<R>,
        timed: Timed,
    ) -> (Response<ZookieBody<R>>, Written)
    where
        P: Protocol,
        R: http_body::Body<Data = Bytes>,
    {
        let (parts, body) = reply.into_parts();
        let (message, trailers, unread) = match read_reply(body, state.settings.max_reply_body).await {
            Read::Whole { message, trailers, .. } => (message, trailers, None),
            Read::Unread(replay) => (Bytes::new(), None, Some(replay)),
        };
        timed.replied(&parts, trailers.as_ref());
        let reply = whole(&parts, &message, trailers.as_ref());
        let request = Bytes::new();
        let received = Received::new(self.route, &self.call, &request);
        let outcome = state.protocol.learn(received, &[], &reply);
        let rejected = says_nothing_was_done(parts.status)
            || matches!(outcome, ReplyOutcome::NotWritten | ReplyOutcome::Unchanged);
        let wrote = matches!(outcome, ReplyOutcome::Wrote { .. });
        let ended = Written::without_token(&outcome, parts.status);
        let token = match outcome {
            _ if self.overridden.is_some() => None,
            ReplyOutcome::Wrote { token, schema } => {
                let token = state.read_token(&parts.headers, token.as_deref());
                match &token {
                    Some(Ok(token)) => state.cache.learn_write(&self.start, &token.revision),
                    // The store names a revision in a token that is too long to be read. Nothing is learned from it.
                    Some(Err(error)) if matches!(error.kind(), TokenErrorKind::TooLong { .. }) => {}
                    // Something changed, and the reply does not say when: no answer's span is known any more.
                    Some(Err(_)) | None => state.cache.schema_changed(),
                }
                if schema {
                    state.cache.schema_changed();
                }
                token.and_then(Result::ok)
            }
            _ => None,
        };
        if let Some(schema) = &mut self.schema {
            // A gateway's 504, for example, leaves open whether the schema has changed.
            schema.outcome_known = wrote || rejected;
        }
        let body = match unread {
            Some(replay) => ZookieBody::replayed(replay),
            None => ZookieBody::whole(message, trailers),
        };
        let written = match &token {
            Some(token) => Written::At(token.revision.clone()),
            None => ended,
        };
        let mut response = Response::from_parts(parts, body);
        if let Some(why) = self.overridden {
            mark_bypassed(response.headers_mut(), why);
            return (response, written);
        }
        state.mark_write(response.headers_mut(), token.as_deref(), self.session);
        (response, written)
    }
}

/// A schema write under way. Ends all answers if dropped before its outcome is known: its reply may never come.
struct SchemaWrite {
    ends: Arc<SchemaEnds>,
    outcome_known: bool,
}

impl Drop for SchemaWrite {
    fn drop(&mut self) {
        if !self.outcome_known {
            self.ends.schema_may_have_changed();
        }
    }
}

/// A write whose caller has left. It has a flight's time and takes a flight's place. If all places are taken, it ends.
struct WithoutCaller {
    cache: DecisionCache<StoredResponse>,
    caller: u64,
}

impl<T: Send + 'static> OnRuntime<T> for WithoutCaller {
    fn run(self, outcome: BoxFuture<T>, caller: oneshot::Sender<T>) -> Option<BoxFuture<()>> {
        drop(caller);
        let Some(place) = self.cache.place_for(self.caller) else {
            tracing::debug!("a write ends with its caller: there are too many flights");
            return None;
        };
        let limit = self.cache.flight_timeout();
        Some(Box::pin(async move {
            if timeout(limit, outcome).await.is_err() {
                tracing::debug!("a write whose caller has left did not end in time");
            }
            drop(place);
        }))
    }
}

impl<P: Protocol> LayerState<P> {
    /// The tokens in a request's carriers that can be read, for the sake of its session.
    fn session(&self, headers: &HeaderMap, uri: &Uri) -> Floors {
        let mut floors = Floors::none();
        // Beyond the most that are read, the first ones are remembered.
        let _ = self.carriers.visit(headers, uri, |_, text| {
            if let Some(token) = text.ok().and_then(|text| self.memo.parse(text).ok()) {
                floors.push(Floor::now(token.revision.clone()));
            }
        });
        floors
    }
}
