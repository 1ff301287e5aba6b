use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::ask::{Asked, Asker};
use super::body::{RequestBody, ZookieBody};
use super::cache_status::CacheStatus;
use super::decide::Asking;
use super::forward::OwnReply;
use super::reply::lets_keep;
use super::shared::Shared;
use crate::cache::{Landed, Miss, Outcome, Questions};
use crate::protocol::{Kept, Kind, Protocol, Refusal};
use crate::token::TokenErrorKind;

/// One question that the cache could not answer.
pub(super) async fn fetch<S, P, B, R>(
    shared: Arc<Shared<P>>,
    service: S,
    asking: Arc<Asking>,
    why: Miss,
) -> Result<Response<ZookieBody<R>>, S::Error>
where
    S: Service<Request<B>, Response = Response<R>, Error: Send, Future: Send> + Clone + Send + 'static,
    B: RequestBody,
    R: Body<Data = Bytes, Error: Send> + Send + 'static,
    P: Protocol,
{
    let Kind::Check(question) = asking.call.kind else {
        return Ok(shared.refusal(&asking, &Refusal::UpstreamFailed));
    };
    let questions = Questions::one(question, asking.caller).with_probes(shared.protocol.can_probe());
    let mut own = Asker {
        shared: &shared,
        service,
        asking: &asking,
        open: Arc::new([0]),
    };
    let asked = own.ask(&questions).await;
    match &asked.outcome {
        Outcome::Hit(landed) | Outcome::Joined(landed) => {
            let Some(decision) = landed.decisions.first() else {
                return Ok(shared.refusal(&asking, &Refusal::UpstreamFailed));
            };
            shared.count_lag(&asking.wanted, decision.label());
            let status = CacheStatus::Missed {
                why,
                stored: false,
                collapsed: true,
            };
            Ok(shared.remembered(&asking, &decision.value, asked.replace_cookie, status))
        }
        _ => shared.own_reply(&asking, asked, why),
    }
}

impl<P: Protocol> Shared<P> {
    /// The reply to whoever caused an upstream call: the inner one, whole.
    pub(super) fn own_reply<R: Body, E>(
        &self,
        asking: &Asking,
        asked: Asked<R, E>,
        why: Miss,
    ) -> Result<Response<ZookieBody<R>>, E> {
        let Asked {
            outcome,
            slot,
            replace_cookie,
        } = asked;
        let landed: Option<Arc<Landed<Kept>>> = match outcome {
            Outcome::Asked(landed) => landed,
            Outcome::Foreign => return Ok(self.refusal(asking, &Refusal::BadToken(TokenErrorKind::Foreign))),
            Outcome::TimedOut => return Ok(self.refusal(asking, &Refusal::UpstreamTimeout)),
            Outcome::Apart => return Ok(self.refusal(asking, &Refusal::TokensDoNotJoin)),
            Outcome::Behind(replied) => {
                let mut refusal = self.refusal(asking, &Refusal::Behind);
                if let Some(zookie) = self.memo.format().encode(&replied).filter(|_| replace_cookie) {
                    self.set_cookies(refusal.headers_mut(), &zookie);
                }
                return Ok(refusal);
            }
            Outcome::Hit(_) | Outcome::Joined(_) | Outcome::Failed => {
                return Ok(self.refusal(asking, &Refusal::UpstreamFailed));
            }
        };
        let OwnReply { mut response, token } = match slot.take() {
            Some(reply) => reply?,
            None => return Ok(self.refusal(asking, &Refusal::UpstreamFailed)),
        };
        let label = landed
            .as_ref()
            .and_then(|landed| landed.decisions.first())
            .and_then(|first| first.label());
        let zookie = match &token {
            Some(token) => Some(token.zookie.clone()),
            None => label.and_then(|label| self.memo.format().encode(label)),
        };
        self.count_lag(&asking.wanted, label);
        let status = match &landed {
            None => CacheStatus::Bypass("the reply holds no answer that could be kept"),
            Some(_) if !lets_keep(&asking.head.headers, response.headers()) => {
                CacheStatus::Bypass("the upstream forbids keeping its reply")
            }
            Some(landed) => CacheStatus::Missed {
                why,
                stored: landed.stored,
                collapsed: false,
            },
        };
        let headers = response.headers_mut();
        self.echo(asking.call.route, &asking.head.headers, headers);
        self.mark(headers, zookie.as_ref(), replace_cookie, status);
        Ok(response)
    }

    /// A reply from memory to a request that waited for it.
    pub(super) fn remembered<R: Body>(
        &self,
        asking: &Asking,
        kept: &Kept,
        replace_cookie: bool,
        status: CacheStatus,
    ) -> Response<ZookieBody<R>> {
        let headers = asking.head.headers.clone();
        let reply = self.kept_reply(asking.call.route, headers, kept, replace_cookie, status);
        reply.map(|(data, trailers)| ZookieBody::stored(data, trailers))
    }

    pub(super) fn refusal<R: Body>(&self, asking: &Asking, why: &Refusal) -> Response<ZookieBody<R>> {
        let reply = self.refuse(asking.call.route, &asking.head.headers, why);
        reply.map(|(data, trailers)| ZookieBody::stored(data, trailers))
    }
}
