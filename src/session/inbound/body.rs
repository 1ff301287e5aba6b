use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::session::current::Session;
use crate::session::inbound::settings::Settings;

pin_project! {
    /// The body of a response: the inner service's own, with the session's tokens in its trailers, if it ends with trailers.
    pub struct SessionBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<B> {
        Inner {
            #[pin]
            body: B,
            session: Session,
            // What the head says.
            version: u64,
            settings: Arc<Settings>,
        },
        Own { data: Bytes },
    }
}

impl<B> SessionBody<B> {
    pub(super) fn inner(body: B, session: Session, version: u64, settings: Arc<Settings>) -> Self {
        let kind = Kind::Inner {
            body,
            session,
            version,
            settings,
        };
        Self { kind }
    }

    pub(super) fn own(data: Bytes) -> Self {
        Self {
            kind: Kind::Own { data },
        }
    }
}

impl<B: Body<Data = Bytes>> Body for SessionBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().kind.project() {
            KindProjection::Inner {
                body,
                session,
                version,
                settings,
            } => {
                let mut frame = ready!(session.enter(|| body.poll_frame(cx)));
                if let Some(Ok(frame)) = &mut frame
                    && let Some(trailers) = frame.trailers_mut()
                {
                    settings.return_in_trailers(session, *version, trailers);
                }
                Poll::Ready(frame)
            }
            KindProjection::Own { data } if data.is_empty() => Poll::Ready(None),
            KindProjection::Own { data } => Poll::Ready(Some(Ok(Frame::data(std::mem::take(data))))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Inner { body, .. } => body.is_end_stream(),
            Kind::Own { data } => data.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Inner { body, .. } => body.size_hint(),
            Kind::Own { data } => SizeHint::with_exact(data.len() as u64),
        }
    }
}

impl<B> fmt::Debug for SessionBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.kind {
            Kind::Inner { .. } => "SessionBody(inner)",
            Kind::Own { .. } => "SessionBody(own)",
        })
    }
}
