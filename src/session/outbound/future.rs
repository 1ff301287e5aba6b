use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::response::Parts;
use http::{HeaderName, Method, Response};
use pin_project_lite::pin_project;

use crate::session::current::Session;
use crate::session::outbound::body::{PropagateBody, Trailing};
use crate::session::outbound::channel::Channel;
use crate::session::reply::{absorb, absorb_unnamed_write, is_foreign, is_of_session, is_of_write, store_named};

/// A call under a session.
pub(super) struct UnderWay {
    pub(super) session: Session,
    pub(super) header: HeaderName,
    pub(super) method: Method,
    pub(super) channel: Arc<Channel>,
}

impl UnderWay {
    /// Learns from the head of the reply.
    fn replied(self, reply: &Parts) -> Trailing {
        let headers = &reply.headers;
        let Self {
            session,
            header,
            method,
            channel,
        } = self;
        let written = is_of_write(headers, &method);
        let rejected = session.floors().only_store().cloned().filter(|_| is_foreign(headers));
        if is_of_session(headers) {
            channel.is_service();
        } else if let Some(store) = rejected {
            channel.is_not_of(store);
        } else if let Some(store) = store_named(&session, headers, &header) {
            session.floors().met(&store);
            channel.is_of(store);
        }
        absorb(&session, headers, &header, written);
        absorb_unnamed_write(&session, reply, &header);
        Trailing {
            session,
            header,
            written,
        }
    }
}

pin_project! {
    /// The future of a [`PropagateService`](crate::session::PropagateService).
    pub struct PropagateFuture<F> {
        #[pin]
        future: F,
        under_way: Option<UnderWay>,
    }
}

impl<F> PropagateFuture<F> {
    pub(super) fn new(future: F, under_way: Option<UnderWay>) -> Self {
        Self { future, under_way }
    }
}

impl<F, R, E> Future for PropagateFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<PropagateBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.future.poll(cx))?;
        let under_way = this.under_way.take();
        let (reply, body) = response.into_parts();
        let trailing = under_way.map(|under_way| under_way.replied(&reply));
        Poll::Ready(Ok(Response::from_parts(reply, PropagateBody::new(body, trailing))))
    }
}

impl<F> fmt::Debug for PropagateFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PropagateFuture")
    }
}
