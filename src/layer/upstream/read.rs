use std::future::poll_fn;
use std::sync::Arc;

use http::Response;

use crate::cache::lies_below;
use crate::layer::body::{Read, RequestBody, ZookieBody};
use crate::layer::inner::Upstream;
use crate::layer::pending::Pending;
use crate::layer::response::{CacheStatus, mark_bypassed};
use crate::layer::state::LayerState;
use crate::layer::upstream::reply::{read_reply, whole};
use crate::layer::upstream::timed::Timed;
use crate::protocol::{Kind, Protocol, Rejection, ReplyOutcome};

pub(in crate::layer) const NEVER_STORED: &str = "a read that is never stored";

/// Forwards a read whose answer is never stored, no lower than its floor.
pub(in crate::layer) async fn forward_read<S, P, B>(
    state: Arc<LayerState<P>>,
    mut inner: S,
    pending: Box<Pending>,
    why: &'static str,
) -> Result<Response<ZookieBody<S::ResBody>>, S::Error>
where
    S: Upstream<B>,
    P: Protocol,
    B: RequestBody,
{
    state.cache.counters().bypassed();
    let requirement = &pending.requirement;
    let ask = state.read_at_unstored(requirement, Some(&pending.call));
    let request = ask.and_then(|ask| state.request(&pending, &[], &ask, false));
    let Some(request) = request else {
        return Ok(state.reject_pending(&pending, &Rejection::TokensDoNotJoin));
    };
    poll_fn(|cx| inner.poll_ready(cx)).await?;
    let timed = Timed::begin(&state.cache);
    let (mut parts, body) = match inner.call(request).await {
        Ok(reply) => reply.into_parts(),
        Err(error) => {
            timed.failed();
            return Err(error);
        }
    };
    if matches!(pending.call.kind, Kind::Read { stream: true }) {
        timed.replied(&parts, None);
        mark_bypassed(&mut parts.headers, why);
        return Ok(Response::from_parts(parts, ZookieBody::inner(body)));
    }
    let (message, trailers) = match read_reply(body, state.settings.max_reply_body).await {
        Read::Whole { message, trailers, .. } => (message, trailers),
        Read::Unread(replay) => {
            timed.replied(&parts, None);
            mark_bypassed(&mut parts.headers, why);
            return Ok(Response::from_parts(parts, ZookieBody::replayed(replay)));
        }
    };
    timed.replied(&parts, trailers.as_ref());
    let reply = whole(&parts, &message, trailers.as_ref());
    let in_message = match state.protocol.learn(pending.received(), &[], &reply) {
        ReplyOutcome::Answers { token, .. } => token,
        _ => None,
    };
    let token = state.reply_token(&parts.headers, in_message.as_deref());
    if let Some(token) = &token
        && lies_below(&token.revision, &requirement.floors)
    {
        return Ok(state.reject_pending(&pending, &Rejection::Behind));
    }
    let zookie = token.map(|token| token.zookie.clone());
    let status = CacheStatus::Bypass(why);
    state.mark(&mut parts.headers, zookie.as_ref(), requirement.replace_cookie, status);
    Ok(Response::from_parts(parts, ZookieBody::whole(message, trailers)))
}
