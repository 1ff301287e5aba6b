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
use super::keeping::Keeping;
use super::shared::Shared;
use crate::cache::{Landed, Miss, Outcome, Questions};
use crate::protocol::{Kind, Protocol, Rejection, StoredResponse};
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
        return Ok(shared.rejection(&asking, &Rejection::UpstreamFailed));
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
                return Ok(shared.rejection(&asking, &Rejection::UpstreamFailed));
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
        let landed: Option<Arc<Landed<StoredResponse>>> = match outcome {
            Outcome::Asked(landed) => landed,
            Outcome::Foreign => return Ok(self.rejection(asking, &Rejection::BadToken(TokenErrorKind::Foreign))),
            Outcome::TimedOut => return Ok(self.rejection(asking, &Rejection::UpstreamTimeout)),
            Outcome::Apart => return Ok(self.rejection(asking, &Rejection::TokensDoNotJoin)),
            Outcome::Behind(replied) => {
                let mut rejection = self.rejection(asking, &Rejection::Behind);
                if let Some(zookie) = self.memo.format().encode(&replied).filter(|_| replace_cookie) {
                    self.set_cookies(rejection.headers_mut(), &[zookie]);
                }
                return Ok(rejection);
            }
            Outcome::Hit(_) | Outcome::Joined(_) | Outcome::Failed => {
                return Ok(self.rejection(asking, &Rejection::UpstreamFailed));
            }
        };
        let OwnReply { mut response, token } = match slot.take() {
            Some(reply) => reply?,
            None => return Ok(self.rejection(asking, &Rejection::UpstreamFailed)),
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
            Some(_) if Keeping::of(&asking.parts.headers, response.headers()) == Keeping::Never => {
                CacheStatus::Bypass("the upstream forbids keeping its reply")
            }
            Some(landed) => CacheStatus::Missed {
                why,
                stored: landed.stored,
                collapsed: false,
            },
        };
        let headers = response.headers_mut();
        self.echo(asking.call.route, &asking.parts.headers, headers);
        self.mark(headers, zookie.as_ref(), replace_cookie, status);
        Ok(response)
    }

    /// A reply from memory to a request that waited for it.
    pub(super) fn remembered<R: Body>(
        &self,
        asking: &Asking,
        kept: &StoredResponse,
        replace_cookie: bool,
        status: CacheStatus,
    ) -> Response<ZookieBody<R>> {
        let headers = asking.parts.headers.clone();
        let reply = self.kept_reply(asking.call.route, headers, kept, replace_cookie, status);
        reply.map(|(data, trailers)| ZookieBody::stored(data, trailers))
    }

    pub(super) fn rejection<R: Body>(&self, asking: &Asking, why: &Rejection) -> Response<ZookieBody<R>> {
        let reply = self.reject(asking.call.route, &asking.parts.headers, why);
        reply.map(|(data, trailers)| ZookieBody::stored(data, trailers))
    }
}
