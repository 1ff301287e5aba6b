use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Body;
use tower_service::Service;

use super::body::{Read, RequestBody, ZookieBody};
use super::forward::read_reply;
use super::reply::mark_bypassed;
use super::shared::Shared;
use crate::cache::lies_below;
use crate::consistency::Floors;
use crate::protocol::{Call, Kind, Protocol, Rejection, Reply, ReplyOutcome, Route};
use crate::revision::Revision;
use crate::token::TokenErrorKind;

/// What a request demands that is forwarded around the cache.
#[derive(Debug)]
pub(super) struct Around {
    pub(super) route: Route,
    /// `None` where its message can't be read.
    pub(super) call: Option<Call>,
    pub(super) message: Bytes,
    pub(super) headers: HeaderMap,
    pub(super) floors: Floors,
    /// A reply of another store is an error: the caller put a token into a header or the query, and none into the message.
    pub(super) rejects_foreign: bool,
    pub(super) why: &'static str,
}

/// Forwards a request around the cache, and compares its reply with its tokens.
pub(super) async fn forward<S, P, B, R>(
    shared: Arc<Shared<P>>,
    mut service: S,
    request: Request<B>,
    around: Box<Around>,
) -> Result<Response<ZookieBody<R>>, S::Error>
where
    S: Service<Request<B>, Response = Response<R>, Error: Send, Future: Send> + Clone + Send + 'static,
    B: RequestBody,
    R: Body<Data = Bytes, Error: Send> + Send + 'static,
    P: Protocol,
{
    shared.cache.counters().bypassed();
    poll_fn(|cx| service.poll_ready(cx)).await?;
    let (mut parts, body) = service.call(request).await?.into_parts();
    let unary = around
        .call
        .as_ref()
        .filter(|call| call.kind != Kind::Read { stream: true });
    let (token, body) = match unary {
        None => (None, ZookieBody::inner(body)),
        Some(call) => match read_reply(body, shared.settings.max_reply_body).await {
            Read::Unread(replay) => (None, ZookieBody::replayed(replay)),
            Read::Whole { message, trailers } => {
                let reply = Reply {
                    status: parts.status,
                    headers: &parts.headers,
                    body: &message,
                    trailers: trailers.as_ref(),
                };
                let asked: Vec<usize> = (0..call.kind.questions()).collect();
                let token = match shared.protocol.learn(call, &around.message, &asked, &reply) {
                    ReplyOutcome::Answers { token, .. } => token,
                    _ => None,
                };
                (token, ZookieBody::stored(message, trailers))
            }
        },
    };
    let replied = shared.reply_token(&parts.headers, token.as_deref());
    if let Some(why) = replied.and_then(|token| around.rejection(&token.revision)) {
        let rejection = shared.reject(around.route, &around.headers, &why);
        return Ok(rejection.map(|(data, trailers)| ZookieBody::stored(data, trailers)));
    }
    mark_bypassed(&mut parts.headers, around.why);
    Ok(Response::from_parts(parts, body))
}

impl Around {
    /// Why a reply at this revision does not satisfy the request.
    fn rejection(&self, replied: &Revision) -> Option<Rejection> {
        let foreign = self
            .floors
            .iter()
            .any(|floor| floor.revision.store() != replied.store());
        if foreign && self.rejects_foreign {
            Some(Rejection::BadToken(TokenErrorKind::Foreign))
        } else {
            lies_below(replied, &self.floors).then_some(Rejection::Behind)
        }
    }
}
