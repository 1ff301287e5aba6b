//! How a reply ends that broke off.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::failure::{Form, Status, reset_reason};

pin_project! {
    /// A reply's body, unmodified unless it breaks off.
    ///
    /// Where the connection to the upstream is lost, a gRPC reply ends with the status that the caller would have seen on
    /// a connection of its own: UNAVAILABLE, so that it tries again. A stream that the upstream reset is reset here too,
    /// for the same reason.
    pub struct Ending<B> {
        #[pin]
        body: B,
        form: Form,
        ended: bool,
    }
}

impl<B> Ending<B> {
    pub(super) fn new(body: B, form: Form) -> Self {
        Self {
            body,
            form,
            ended: false,
        }
    }
}

impl<B: Body<Data = Bytes, Error = hyper::Error>> Body for Ending<B> {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.project();
        if *this.ended {
            return Poll::Ready(None);
        }
        let frame = ready!(this.body.poll_frame(cx));
        Poll::Ready(match frame {
            Some(Err(error)) if matches!(this.form, Form::Grpc(_)) && reset_reason(&error).is_none() => {
                *this.ended = true;
                Some(Ok(Frame::trailers(Status::CONNECTION_LOST.trailers())))
            }
            frame => frame,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
