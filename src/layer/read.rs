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
use crate::cache::Ask;
use crate::protocol::{Kind, Learned, Protocol, Refusal, Reply};

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
    let freshness = &asking.wanted.freshness;
    let ask = match (&asking.call.token, &asking.wanted.floor) {
        (Some(_), Some(floor)) if asking.wanted.as_it_came => Ask::AsItCame(floor.revision.clone()),
        (Some(_), _) => Ask::as_it_came(freshness),
        (None, _) => shared.cache.ask_untold(freshness),
    };
    let Some(request) = shared.request(&asking, &[], &ask) else {
        return Ok(shared.refusal(&asking, &Refusal::TokensDoNotJoin));
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
        Learned::Answers { token, .. } => shared.reply_token(&parts.headers, token.as_deref()),
        _ => None,
    };
    let zookie = token.and_then(|token| asking.wanted.or_higher(&token));
    let status = CacheStatus::Bypass(why);
    shared.mark(&mut parts.headers, zookie.as_ref(), &asking.wanted, status);
    Ok(Response::from_parts(parts, ZookieBody::stored(message, trailers)))
}
