use std::fmt;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use http::request::Parts;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};

use crate::layer::body::{Reader, RequestBody, ZookieBody};
use crate::layer::inner::Upstream;
use crate::layer::request::{LookUp, Step};
use crate::layer::response::mark_bypassed;
use crate::layer::state::LayerState;
use crate::layer::upstream::{
    ask_bulk, ask_check, forward_and_compare, forward_read, forward_write, look_up, read_in_background,
};
use crate::protocol::{Protocol, Rejection, Route};

type Outcome<S, B> =
    Result<Response<ZookieBody<<S as Upstream<B>>::ResBody>>, <S as tower_service::Service<Request<B>>>::Error>;

pin_project! {
    /// The reply to come: at once from memory, from the inner service unmodified, or after the upstream was asked.
    ///
    /// # Panics
    ///
    /// If polled after it has completed.
    pub struct ResponseFuture<S, P, B>
    where
        S: Upstream<B>,
    {
        #[pin]
        state: State<S, P, B>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, P, B>
    where
        S: Upstream<B>,
    {
        Ready { outcome: Option<Outcome<S, B>> },
        /// The body had not arrived when the request did.
        Reading { reading: Option<Box<Reading<S, P, B>>>, #[pin] timeout: Sleep },
        /// The inner service was not ready.
        Waiting { inner: S, request: Option<Request<B>>, bypass: Option<&'static str> },
        Forwarded { #[pin] future: S::Future, bypass: Option<&'static str> },
        Asking { future: Pin<Box<dyn Future<Output = Outcome<S, B>> + Send>> },
        Completed,
    }
}

/// A request whose body has not arrived yet.
struct Reading<S, P, B> {
    state: Arc<LayerState<P>>,
    inner: S,
    route: Route,
    parts: Parts,
    reader: Reader<B>,
}

impl<S, P, B> From<State<S, P, B>> for ResponseFuture<S, P, B>
where
    S: Upstream<B>,
{
    fn from(state: State<S, P, B>) -> Self {
        Self { state }
    }
}

impl<S, P, B> ResponseFuture<S, P, B>
where
    S: Upstream<B>,
    P: Protocol,
    B: RequestBody,
{
    /// Takes the next step of a request.
    pub(super) fn take(step: Step<B>, state: &Arc<LayerState<P>>, inner: &mut S) -> Self {
        match step {
            Step::Reply(reply) => Self::ready(Ok(reply.map(Into::into))),
            Step::ReplyAndRead(reply, pending, questions) => {
                read_in_background(state, inner.clone(), &pending, &questions);
                Self::ready(Ok(reply.map(Into::into)))
            }
            Step::Forward(request, why) => {
                state.cache.counters().bypassed();
                Self::forward(inner, state.unwrapped(request), Some(why))
            }
            Step::ForwardAndCompare(request, bypass) => {
                let request = state.unwrapped(request);
                Self::asking(forward_and_compare(Arc::clone(state), inner.clone(), request, bypass))
            }
            Step::Write(request, write) => {
                let request = state.unwrapped(request);
                Self::asking(forward_write(Arc::clone(state), inner.clone(), request, write))
            }
            Step::Read(pending, why) => Self::asking(forward_read(Arc::clone(state), inner.clone(), pending, why)),
            Step::Check(pending, questions, why) => {
                Self::asking(ask_check(Arc::clone(state), inner.clone(), pending, questions, why))
            }
            Step::LookUp(request) => Self::asking(look_up_first(Arc::clone(state), inner.clone(), request)),
            Step::Bulk(pending, each, served) => {
                Self::asking(ask_bulk(Arc::clone(state), inner.clone(), pending, each, served))
            }
        }
    }

    /// Waits for a request's body.
    pub(super) fn reading(state: Arc<LayerState<P>>, inner: S, route: Route, parts: Parts, reader: Reader<B>) -> Self {
        let timeout = sleep(state.settings.read_timeout);
        let reading = Some(Box::new(Reading {
            state,
            inner,
            route,
            parts,
            reader,
        }));
        State::Reading { reading, timeout }.into()
    }

    /// Forwards a request unmodified. The inner service is not cloned when it is ready.
    pub(super) fn forward(inner: &mut S, request: Request<B>, bypass: Option<&'static str>) -> Self {
        match inner.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => State::Forwarded {
                future: inner.call(request),
                bypass,
            }
            .into(),
            Poll::Ready(Err(error)) => Self::ready(Err(error)),
            Poll::Pending => {
                // The polled service has a place in the queue; the fresh clone serves the next caller.
                let fresh = inner.clone();
                State::Waiting {
                    inner: mem::replace(inner, fresh),
                    request: Some(request),
                    bypass,
                }
                .into()
            }
        }
    }

    fn ready(outcome: Outcome<S, B>) -> Self {
        State::Ready { outcome: Some(outcome) }.into()
    }

    fn asking(future: impl Future<Output = Outcome<S, B>> + Send + 'static) -> Self {
        State::Asking {
            future: Box::pin(future),
        }
        .into()
    }
}

/// Looks up what is remembered of a request's objects, and then takes the next step.
async fn look_up_first<S, P, B>(state: Arc<LayerState<P>>, mut inner: S, request: Box<LookUp<B>>) -> Outcome<S, B>
where
    S: Upstream<B>,
    P: Protocol,
    B: RequestBody,
{
    let LookUp {
        about,
        arrived,
        route,
        parts,
        ..
    } = &*request;
    let remembered = look_up::<S, P, B>(&state, inner.clone(), *route, parts, about, *arrived).await;
    let step = state.resume(*request, &remembered);
    ResponseFuture::take(step, &state, &mut inner).await
}

impl<S, P, B> Future for ResponseFuture<S, P, B>
where
    S: Upstream<B>,
    P: Protocol,
    B: RequestBody,
{
    type Output = Outcome<S, B>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = ready!(self.as_mut().poll_outcome(cx));
        self.project().state.set(State::Completed);
        Poll::Ready(outcome)
    }
}

impl<S, P, B> ResponseFuture<S, P, B>
where
    S: Upstream<B>,
    P: Protocol,
    B: RequestBody,
{
    fn poll_outcome(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome<S, B>> {
        loop {
            let next = match self.as_mut().project().state.project() {
                StateProjection::Ready { outcome } => return Poll::Ready(taken(outcome)),
                StateProjection::Forwarded { future, bypass } => {
                    let mut response = ready!(future.poll(cx))?;
                    if let Some(why) = bypass {
                        mark_bypassed(response.headers_mut(), why);
                    }
                    return Poll::Ready(Ok(response.map(ZookieBody::inner)));
                }
                StateProjection::Asking { future } => return future.as_mut().poll(cx),
                StateProjection::Completed => panic!("`ResponseFuture` polled after completion"),
                StateProjection::Waiting { inner, request, bypass } => {
                    ready!(inner.poll_ready(cx))?;
                    State::Forwarded {
                        future: inner.call(taken(request)),
                        bypass: *bypass,
                    }
                    .into()
                }
                StateProjection::Reading { reading, timeout } => {
                    let mut read = taken(reading);
                    match read.reader.poll_read(cx) {
                        Poll::Ready(body) => {
                            let Reading {
                                state,
                                mut inner,
                                route,
                                parts,
                                ..
                            } = *read;
                            Self::take(state.classify(route, parts, body), &state, &mut inner)
                        }
                        Poll::Pending if timeout.poll(cx).is_ready() => {
                            let headers = &read.parts.headers;
                            let reply = read.state.reject(read.route, headers, &Rejection::RequestTimeout);
                            Self::ready(Ok(reply.map(Into::into)))
                        }
                        Poll::Pending => {
                            *reading = Some(read);
                            return Poll::Pending;
                        }
                    }
                }
            };
            self.as_mut().project().state.set(next.state);
        }
    }
}

/// What a state held. The poll that takes it out replaces the state.
fn taken<T>(held: &mut Option<T>) -> T {
    held.take().expect("a state is replaced when its content is taken")
}

impl<S, P, B> fmt::Debug for ResponseFuture<S, P, B>
where
    S: Upstream<B>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.state {
            State::Ready { .. } => "ResponseFuture(ready)",
            State::Reading { .. } => "ResponseFuture(reading the request)",
            State::Waiting { .. } => "ResponseFuture(waiting for the inner service)",
            State::Forwarded { .. } => "ResponseFuture(forwarded)",
            State::Asking { .. } => "ResponseFuture(asking)",
            State::Completed => "ResponseFuture(completed)",
        })
    }
}
