use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};
use tower_service::Service;

use super::body::{Reader, RequestBody, ZookieBody};
use super::reply::mark_bypassed;
use super::service::ZookieService;
use crate::protocol::{Protocol, Rejection, Route};

type Outcome<R, E> = Result<Response<ZookieBody<R>>, E>;

pin_project! {
    /// The reply to come: at once from memory, from the inner service unmodified, or after the upstream was asked.
    pub struct ResponseFuture<S, P, B, R>
    where
        S: Service<Request<B>>,
        R: Body,
    {
        #[pin]
        state: State<S, P, B, R>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, P, B, R>
    where
        S: Service<Request<B>>,
        R: Body,
    {
        Ready { outcome: Option<Outcome<R, S::Error>> },
        /// The body had not arrived when the request did.
        Reading { reading: Option<Box<Reading<S, P, B>>>, #[pin] timeout: Sleep },
        /// The inner service was not ready.
        Waiting { service: S, request: Option<Request<B>>, bypass: Option<&'static str> },
        Forwarded { #[pin] future: S::Future, bypass: Option<&'static str> },
        Boxed { future: Pin<Box<dyn Future<Output = Outcome<R, S::Error>> + Send>> },
    }
}

struct Reading<S, P, B> {
    service: ZookieService<S, P>,
    route: Route,
    parts: Parts,
    reader: Reader<B>,
}

impl<S, P, B, R> ResponseFuture<S, P, B, R>
where
    S: Service<Request<B>>,
    R: Body,
{
    pub(super) fn ready(response: Response<ZookieBody<R>>) -> Self {
        Self {
            state: State::Ready {
                outcome: Some(Ok(response)),
            },
        }
    }

    pub(super) fn failed(error: S::Error) -> Self {
        Self {
            state: State::Ready {
                outcome: Some(Err(error)),
            },
        }
    }

    pub(super) fn reading(service: ZookieService<S, P>, route: Route, parts: Parts, reader: Reader<B>) -> Self {
        let timeout = sleep(service.shared().settings.read_timeout);
        let reading = Some(Box::new(Reading {
            service,
            route,
            parts,
            reader,
        }));
        Self {
            state: State::Reading { reading, timeout },
        }
    }

    pub(super) fn waiting(service: S, request: Request<B>, bypass: Option<&'static str>) -> Self {
        Self {
            state: State::Waiting {
                service,
                request: Some(request),
                bypass,
            },
        }
    }

    pub(super) fn forwarded(future: S::Future, bypass: Option<&'static str>) -> Self {
        Self {
            state: State::Forwarded { future, bypass },
        }
    }

    pub(super) fn boxed(future: impl Future<Output = Outcome<R, S::Error>> + Send + 'static) -> Self {
        Self {
            state: State::Boxed {
                future: Box::pin(future),
            },
        }
    }
}

impl<S, P, B, R> Future for ResponseFuture<S, P, B, R>
where
    S: Service<Request<B>, Response = Response<R>, Error: Send, Future: Send> + Clone + Send + 'static,
    B: RequestBody,
    R: Body<Data = Bytes, Error: Send> + Send + 'static,
    P: Protocol,
{
    type Output = Outcome<R, S::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let next = match self.as_mut().project().state.project() {
                StateProjection::Ready { outcome } => {
                    return match outcome.take() {
                        Some(outcome) => Poll::Ready(outcome),
                        None => Poll::Pending,
                    };
                }
                StateProjection::Forwarded { future, bypass } => {
                    let mut response = ready!(future.poll(cx))?;
                    if let Some(why) = bypass {
                        mark_bypassed(response.headers_mut(), why);
                    }
                    return Poll::Ready(Ok(response.map(ZookieBody::inner)));
                }
                StateProjection::Boxed { future } => return future.as_mut().poll(cx),
                StateProjection::Waiting {
                    service,
                    request,
                    bypass,
                } => {
                    ready!(service.poll_ready(cx))?;
                    match request.take() {
                        Some(request) => Self::forwarded(service.call(request), *bypass),
                        None => return Poll::Pending,
                    }
                }
                StateProjection::Reading { reading, timeout } => {
                    let Some(read) = reading else { return Poll::Pending };
                    match read.reader.poll_read(cx) {
                        Poll::Ready(body) => {
                            let Some(read) = reading.take() else {
                                return Poll::Pending;
                            };
                            let Reading {
                                mut service,
                                route,
                                parts,
                                ..
                            } = *read;
                            let step = service.shared().decide_by_body(route, parts, body);
                            service.take(step)
                        }
                        Poll::Pending => {
                            ready!(timeout.poll(cx));
                            let response = read.service.shared().reject(
                                read.route,
                                &read.parts.headers,
                                &Rejection::RequestTimeout,
                            );
                            Self::ready(response.map(|(data, trailers)| ZookieBody::stored(data, trailers)))
                        }
                    }
                }
            };
            self.as_mut().project().state.set(next.state);
        }
    }
}

impl<S, P, B, R> fmt::Debug for ResponseFuture<S, P, B, R>
where
    S: Service<Request<B>>,
    R: Body,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.state {
            State::Ready { .. } => "ResponseFuture(ready)",
            State::Reading { .. } => "ResponseFuture(reading the request)",
            State::Waiting { .. } => "ResponseFuture(waiting for the inner service)",
            State::Forwarded { .. } => "ResponseFuture(forwarded)",
            State::Boxed { .. } => "ResponseFuture(asking)",
        })
    }
}
