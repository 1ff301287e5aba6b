use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Method, Response};
use pin_project_lite::pin_project;

use crate::session::current::Session;
use crate::session::inbound::body::SessionBody;
use crate::session::inbound::settings::Settings;

pin_project! {
    /// The future of a [`SessionService`](crate::session::SessionService).
    pub struct SessionFuture<F> {
        #[pin]
        kind: Kind<F>,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<F> {
        Inner {
            #[pin]
            future: F,
            session: Session,
            method: Method,
            settings: Arc<Settings>,
        },
        Rejected { response: Option<Response<Bytes>> },
    }
}

impl<F> SessionFuture<F> {
    pub(super) fn inner(future: F, session: Session, method: Method, settings: Arc<Settings>) -> Self {
        let kind = Kind::Inner {
            future,
            session,
            method,
            settings,
        };
        Self { kind }
    }

    pub(super) fn rejected(response: Response<Bytes>) -> Self {
        let response = Some(response);
        Self {
            kind: Kind::Rejected { response },
        }
    }
}

impl<F, R, E> Future for SessionFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<SessionBody<R>>, E>;

    /// # Panics
    ///
    /// If it is polled after it was ready.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (future, session, method, settings) = match self.project().kind.project() {
            KindProjection::Inner {
                future,
                session,
                method,
                settings,
            } => (future, session, method, settings),
            KindProjection::Rejected { response } => {
                let response = response.take().expect("polled after completion");
                return Poll::Ready(Ok(response.map(SessionBody::own)));
            }
        };
        let (mut parts, body) = ready!(session.enter(|| future.poll(cx)))?.into_parts();
        settings.absorb(session, &parts, method);
        let version = settings.return_in_head(session, &mut parts.headers);
        let body = SessionBody::inner(body, session.clone(), version, Arc::clone(settings));
        Poll::Ready(Ok(Response::from_parts(parts, body)))
    }
}

impl<F> fmt::Debug for SessionFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionFuture")
    }
}
