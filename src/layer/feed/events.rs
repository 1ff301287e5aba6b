use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::changes::{Event, FeedError};
use crate::layer::body::RequestBody;
use crate::layer::feed::following::Following;
use crate::protocol::{FeedFailure, Protocol};

/// The events of a feed. They end with the first error.
pub(super) struct Events<F> {
    ready: VecDeque<Event>,
    next: Option<Next<F>>,
}

type Next<F> = Pin<Box<dyn Future<Output = (F, Result<Vec<Event>, FeedFailure>)> + Send>>;

impl<P, S, B, R> Events<Following<P, S, B, R>>
where
    P: Protocol,
    S: Service<Request<B>, Response = Response<R>, Future: Send> + Send + 'static,
    B: RequestBody,
    R: Body<Data = Bytes> + Send + 'static,
{
    /// The events of `following`, after these.
    pub(super) fn new(following: Following<P, S, B, R>, first: Vec<Event>) -> Self {
        Self {
            ready: first.into(),
            next: Some(next(following)),
        }
    }
}

fn next<P, S, B, R>(mut following: Following<P, S, B, R>) -> Next<Following<P, S, B, R>>
where
    P: Protocol,
    S: Service<Request<B>, Response = Response<R>, Future: Send> + Send + 'static,
    B: RequestBody,
    R: Body<Data = Bytes> + Send + 'static,
{
    Box::pin(async move {
        let next = following.next().await;
        (following, next)
    })
}

impl<P, S, B, R> Stream for Events<Following<P, S, B, R>>
where
    P: Protocol,
    S: Service<Request<B>, Response = Response<R>, Future: Send> + Send + 'static,
    B: RequestBody,
    R: Body<Data = Bytes> + Send + 'static,
{
    type Item = Result<Event, FeedError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(event)));
            }
            let Some(waiting) = &mut self.next else {
                return Poll::Ready(None);
            };
            let (following, events) = ready!(waiting.as_mut().poll(cx));
            match events {
                Ok(events) => {
                    self.ready = events.into();
                    self.next = Some(next(following));
                }
                Err(failure) => {
                    self.next = None;
                    return Poll::Ready(Some(Err(failure.into())));
                }
            }
        }
    }
}
