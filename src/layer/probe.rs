use std::future::poll_fn;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::body::{Read, Replay, RequestBody};
use super::decide::Asking;
use super::forward::{Forward, read_reply, strip_own};
use super::shared::Shared;
use crate::cache::{Turn, Upstream};
use crate::consistency::Consistency;
use crate::protocol::{Call, Protocol, Reply, ReplyOutcome, StoredResponse};

impl<S, P, B, R> Forward<S, P, B, R, S::Error>
where
    S: Service<Request<B>, Response = Response<R>, Error: Send, Future: Send> + Clone + Send + 'static,
    B: RequestBody,
    R: Body<Data = Bytes, Error: Send> + Send + 'static,
    P: Protocol,
{
    /// Asks the store for its head revision, with the credentials of the request that is in doubt. Its reply is no
    /// caller's.
    pub(super) async fn probe(self, turn: Turn) -> Upstream<StoredResponse> {
        let Self {
            shared,
            mut service,
            asking,
            ..
        } = self;
        let Some((call, message, request)) = shared.head_probe(&asking) else {
            return Upstream::Failed;
        };
        if poll_fn(|cx| service.poll_ready(cx)).await.is_err() {
            return Upstream::Failed;
        }
        turn.begin();
        let Ok(response) = service.call(request).await else {
            return Upstream::Failed;
        };
        drop(service);
        let (parts, body) = response.into_parts();
        let Read::Whole {
            message: body,
            trailers,
        } = read_reply(body, shared.settings.max_reply_body).await
        else {
            return Upstream::Unshared;
        };
        let reply = Reply {
            status: parts.status,
            headers: &parts.headers,
            body: &body,
            trailers: trailers.as_ref(),
        };
        let (ReplyOutcome::Answers { token, .. } | ReplyOutcome::Wrote { token, .. }) =
            shared.protocol.learn(&call, &message, &[], &reply)
        else {
            tracing::debug!("a probe failed: it named no revision");
            return Upstream::Unshared;
        };
        let token = shared.reply_token(&parts.headers, token.as_deref());
        Upstream::Answered {
            items: Vec::new(),
            revision: token.map(|token| token.revision.clone()),
        }
    }
}

impl<P: Protocol> Shared<P> {
    fn head_probe<B: RequestBody>(&self, asking: &Asking) -> Option<(Call, Bytes, Request<B>)> {
        let mut head = asking.parts.clone();
        strip_own(&mut head.headers);
        let (call, message) = self.protocol.probe(asking.call.route, &mut head)?;
        self.tell(&mut head, call.route, Consistency::FullyConsistent, None)?;
        let body = B::replay(Replay::whole(message.clone(), None));
        Some((call, message, Request::from_parts(head, body)))
    }
}
