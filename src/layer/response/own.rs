use std::sync::Arc;

use http::Response;
use http_body::Body;

use crate::cache::{Failure, Landed, Miss};
use crate::layer::body::ZookieBody;
use crate::layer::pending::Pending;
use crate::layer::response::cache_status::CacheStatus;
use crate::layer::state::LayerState;
use crate::protocol::{Protocol, Rejection, StoredResponse};
use crate::token::{Token, TokenErrorKind};

/// An inner reply on its way to the caller that caused it, and its token.
#[derive(Debug)]
pub(in crate::layer) struct OwnReply<R: Body> {
    pub(in crate::layer) response: Response<ZookieBody<R>>,
    pub(in crate::layer) token: Option<Arc<Token>>,
}

/// Why an upstream call gave no reply.
#[derive(Debug)]
pub(in crate::layer) enum NoReply<E> {
    /// The inner service's own error.
    Inner(E),
    /// No token says the revision that was to be asked at.
    Unspellable,
}

impl<P: Protocol> LayerState<P> {
    /// The reply to a caller that caused an upstream call: the inner reply, whole.
    pub(in crate::layer) fn own_reply<R: Body, E>(
        &self,
        pending: &Pending,
        reply: Result<OwnReply<R>, NoReply<E>>,
        landed: Option<&Landed<StoredResponse>>,
        replace_cookie: bool,
        why: Miss,
    ) -> Result<Response<ZookieBody<R>>, E> {
        let OwnReply { mut response, token } = match reply {
            Ok(reply) => reply,
            Err(NoReply::Inner(error)) => return Err(error),
            Err(NoReply::Unspellable) => return Ok(self.reject_pending(pending, &Rejection::UpstreamFailed)),
        };
        let label = landed.and_then(|landed| landed.first.label());
        let zookie = match &token {
            Some(token) => Some(token.zookie.clone()),
            None => label.and_then(|label| self.memo.format().encode(label)),
        };
        self.count_lag(&pending.requirement, label);
        let status = CacheStatus::Missed {
            why,
            stored: landed.is_some_and(|landed| landed.stored),
            collapsed: false,
        };
        let headers = response.headers_mut();
        self.echo(pending.route, &pending.parts.headers, headers);
        self.mark(headers, zookie.as_ref(), replace_cookie, status);
        Ok(response)
    }

    /// The reply to a caller whose question got no answer.
    pub(in crate::layer) fn failed<R: Body>(
        &self,
        pending: &Pending,
        failure: &Failure,
        replace_cookie: bool,
    ) -> Response<ZookieBody<R>> {
        let why = match failure {
            Failure::Upstream => Rejection::UpstreamFailed,
            Failure::TimedOut => Rejection::UpstreamTimeout,
            Failure::Foreign => Rejection::BadToken(TokenErrorKind::Foreign),
            Failure::Apart => Rejection::TokensDoNotJoin,
            Failure::Behind(_) => Rejection::Behind,
        };
        let mut rejection = self.reject_pending(pending, &why);
        if let Failure::Behind(replied) = failure
            && let Some(zookie) = self.memo.format().encode(replied).filter(|_| replace_cookie)
        {
            self.set_cookies(rejection.headers_mut(), &[zookie]);
        }
        rejection
    }

    /// A reply from memory to a request that waited for it.
    pub(in crate::layer) fn waited_for<R: Body>(
        &self,
        pending: &Pending,
        stored: &StoredResponse,
        replace_cookie: bool,
        status: CacheStatus,
    ) -> Response<ZookieBody<R>> {
        let headers = pending.parts.headers.clone();
        let reply = self.stored_reply(pending.route, headers, stored, replace_cookie, status);
        reply.map(Into::into)
    }
}
