use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};

use crate::cache::lies_below;
use crate::consistency::Floors;
use crate::layer::body::{Read, RequestBody, ZookieBody};
use crate::layer::inner::Upstream;
use crate::layer::pending::Requirement;
use crate::layer::response::CacheStatus;
use crate::layer::state::LayerState;
use crate::layer::upstream::reply::{read_reply, whole};
use crate::layer::upstream::timed::Timed;
use crate::protocol::{Call, Kind, Protocol, Received, Rejection, ReplyOutcome, Route};
use crate::revision::Revision;
use crate::token::TokenErrorKind;

/// What a request demands that is forwarded around the cache.
#[derive(Debug)]
pub(in crate::layer) struct Bypass {
    route: Route,
    /// `None` where its message can't be read.
    call: Option<Call>,
    message: Bytes,
    headers: HeaderMap,
    floors: Floors,
    /// A reply of another store is an error: the caller put a token into a header or the query, and none into the message.
    rejects_foreign: bool,
    /// The request has a cookie that is of no use.
    replace_cookie: bool,
    why: &'static str,
}

/// Forwards a request around the cache, and compares its reply with its tokens.
pub(in crate::layer) async fn forward_and_compare<S, P, B>(
    state: Arc<LayerState<P>>,
    mut inner: S,
    request: Request<B>,
    bypass: Box<Bypass>,
) -> Result<Response<ZookieBody<S::ResBody>>, S::Error>
where
    S: Upstream<B>,
    P: Protocol,
    B: RequestBody,
{
    state.cache.counters().bypassed();
    poll_fn(|cx| inner.poll_ready(cx)).await?;
    let timed = Timed::begin(&state.cache);
    let (mut parts, body) = match inner.call(request).await {
        Ok(reply) => reply.into_parts(),
        Err(error) => {
            timed.failed();
            return Err(error);
        }
    };
    let unary = bypass
        .call
        .as_ref()
        .filter(|call| call.kind != Kind::Read { stream: true });
    let (token, body) = match unary {
        None => {
            timed.replied(&parts, None);
            (None, ZookieBody::inner(body))
        }
        Some(call) => match read_reply(body, state.settings.max_reply_body).await {
            Read::Unread(replay) => {
                timed.replied(&parts, None);
                (None, ZookieBody::replayed(replay))
            }
            Read::Whole { message, trailers, .. } => {
                timed.replied(&parts, trailers.as_ref());
                let reply = whole(&parts, &message, trailers.as_ref());
                let asked: Vec<usize> = (0..call.kind.questions()).collect();
                let received = Received::new(bypass.route, call, &bypass.message);
                let token = match state.protocol.learn(received, &asked, &reply) {
                    ReplyOutcome::Answers { token, .. } => token,
                    _ => None,
                };
                (token, ZookieBody::whole(message, trailers))
            }
        },
    };
    let replied = state.reply_token(&parts.headers, token.as_deref());
    if let Some(why) = replied.as_ref().and_then(|token| bypass.rejection(&token.revision)) {
        let rejection = state.reject(bypass.route, &bypass.headers, &why);
        return Ok(rejection.map(Into::into));
    }
    let zookie = replied.as_ref().map(|token| &token.zookie);
    let status = CacheStatus::Bypass(bypass.why);
    state.mark(&mut parts.headers, zookie, bypass.replace_cookie, status);
    Ok(Response::from_parts(parts, body))
}

impl Bypass {
    pub(in crate::layer) fn new(
        route: Route,
        call: Option<Call>,
        message: Bytes,
        headers: HeaderMap,
        requirement: Requirement,
        why: &'static str,
    ) -> Self {
        Self {
            route,
            call,
            message,
            headers,
            rejects_foreign: requirement.explicit && !requirement.in_message,
            floors: requirement.floors,
            replace_cookie: requirement.replace_cookie,
            why,
        }
    }

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
