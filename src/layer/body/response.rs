use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::layer::body::replay::Replay;

pin_project! {
    /// The body of a reply: the inner service's own, or bytes and trailers from memory.
    pub struct ZookieBody<R: Body> {
        #[pin]
        kind: Kind<R>,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<R: Body> {
        Inner { #[pin] body: R },
        Replayed { body: Replay<Pin<Box<R>>> },
        Whole { data: Option<Bytes>, trailers: Option<HeaderMap> },
    }
}

impl<R: Body> ZookieBody<R> {
    pub(in crate::layer) fn inner(body: R) -> Self {
        Self {
            kind: Kind::Inner { body },
        }
    }

    pub(in crate::layer) fn replayed(body: Replay<Pin<Box<R>>>) -> Self {
        Self {
            kind: Kind::Replayed { body },
        }
    }

    /// These bytes and trailers.
    pub(in crate::layer) fn whole(data: Bytes, trailers: Option<HeaderMap>) -> Self {
        let data = Some(data).filter(|data| !data.is_empty());
        Self {
            kind: Kind::Whole { data, trailers },
        }
    }
}

/// The body and the trailers of a reply that the layer itself makes.
#[derive(Debug)]
pub(in crate::layer) struct StoredBody {
    pub(in crate::layer) data: Bytes,
    pub(in crate::layer) trailers: Option<HeaderMap>,
}

impl<R: Body> From<StoredBody> for ZookieBody<R> {
    fn from(body: StoredBody) -> Self {
        Self::whole(body.data, body.trailers)
    }
}

impl<R: Body> Default for ZookieBody<R> {
    fn default() -> Self {
        Self::whole(Bytes::new(), None)
    }
}

impl<R: Body<Data = Bytes>> Body for ZookieBody<R> {
    type Data = Bytes;
    type Error = R::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, R::Error>>> {
        match self.project().kind.project() {
            KindProjection::Inner { body } => body.poll_frame(cx),
            KindProjection::Replayed { body } => Pin::new(body).poll_frame(cx),
            KindProjection::Whole { data, trailers } => {
                let frame = data
                    .take()
                    .map(Frame::data)
                    .or_else(|| trailers.take().map(Frame::trailers));
                Poll::Ready(frame.map(Ok))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Inner { body } => body.is_end_stream(),
            Kind::Replayed { body } => body.is_end_stream(),
            Kind::Whole { data, trailers } => data.is_none() && trailers.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Inner { body } => body.size_hint(),
            Kind::Replayed { body } => body.size_hint(),
            Kind::Whole { data, trailers } => {
                let len = data.as_ref().map_or(0, |data| data.len() as u64);
                let mut hint = SizeHint::new();
                hint.set_lower(len);
                // With an exact size, hyper would write a content-length, and trailers could not follow.
                if trailers.is_none() {
                    hint.set_upper(len);
                }
                hint
            }
        }
    }
}

impl<R: Body> fmt::Debug for ZookieBody<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.kind {
            Kind::Inner { .. } => "ZookieBody(inner)",
            Kind::Replayed { .. } => "ZookieBody(replayed)",
            Kind::Whole { .. } => "ZookieBody(whole)",
        })
    }
}
