use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::body::{Read, RequestBody, ZookieBody};
use super::cache_status::CacheStatus;
use super::decide::Asking;
use super::forward::read_reply;
use super::reply::mark_bypassed;
use super::shared::Shared;
use crate::cache::lies_below;
use crate::protocol::{Kind, Protocol, Rejection, Reply, ReplyOutcome};

pub(super) const NEVER_KEPT: &str = "a read that is never kept";

/// Hands on a read of which nothing is kept, no lower than its floor.
pub(super) async fn forward<S, P, B, R>(
    shared: Arc<Shared<P>>,
    mut service: S,
    asking: Box<Asking>,
    why: &'static str,
) -> Result<Response<ZookieBody<R>>, S::Error>
where
    S: Service<Request<B>, Response = Response<R>, Error: Send, Future: Send> + Clone + Send + 'static,
    B: RequestBody,
    R: Body<Data = Bytes, Error: Send> + Send + 'static,
    P: Protocol,
{
    shared.cache.counters().bypassed();
    let wanted = &asking.wanted;
    let ask = shared.read_at_unstored(wanted, Some(&asking.call));
    let request = ask.and_then(|ask| shared.request(&asking, &[], &ask, false));
    let Some(request) = request else {
        return Ok(shared.rejection(&asking, &Rejection::TokensDoNotJoin));
    };
    poll_fn(|cx| service.poll_ready(cx)).await?;
    let (mut parts, body) = service.call(request).await?.into_parts();
    if matches!(asking.call.kind, Kind::Read { stream: true }) {
        mark_bypassed(&mut parts.headers, why);
        return Ok(Response::from_parts(parts, ZookieBody::inner(body)));
    }
    let (message, trailers) = match read_reply(body, shared.settings.max_reply_body).await {
        Read::Whole { message, trailers } => (message, trailers),
        Read::Unread(replay) => {
            mark_bypassed(&mut parts.headers, why);
            return Ok(Response::from_parts(parts, ZookieBody::replayed(replay)));
        }
    };
    let reply = Reply {
        status: parts.status,
        headers: &parts.headers,
        body: &message,
        trailers: trailers.as_ref(),
    };
    let token = match shared.protocol.learn(&asking.call, &asking.message, &[], &reply) {
        ReplyOutcome::Answers { token, .. } => shared.reply_token(&parts.headers, token.as_deref()),
        _ => None,
    };
    if let Some(token) = &token
        && lies_below(&token.revision, &wanted.floors)
    {
        return Ok(shared.rejection(&asking, &Rejection::Behind));
    }
    let zookie = token.map(|token| token.zookie.clone());
    let status = CacheStatus::Bypass(why);
    shared.mark(&mut parts.headers, zookie.as_ref(), wanted.replace_cookie, status);
    Ok(Response::from_parts(parts, ZookieBody::stored(message, trailers)))
}
