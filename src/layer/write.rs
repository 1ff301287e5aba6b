use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use tower_service::Service;

use super::body::{Read, Reader, RequestBody, ZookieBody};
use super::outliving::Outliving;
use super::shared::Shared;
use crate::consistency::Floors;
use crate::knowledge::CallStart;
use crate::protocol::{Call, Kind, Protocol, Reply, ReplyOutcome};
use crate::token::TokenErrorKind;

/// Forwards a write unmodified, and learns from the reply, also when the caller does not wait for it.
///
/// A client's stream ends with its caller, who has not sent all of it.
pub(super) async fn forward<S, P, B, R>(
    shared: Arc<Shared<P>>,
    mut service: S,
    request: Request<B>,
    call: Call,
    caller: u64,
) -> Result<Response<ZookieBody<R>>, S::Error>
where
    S: Service<Request<B>, Response = Response<R>, Error: Send, Future: Send> + Clone + Send + 'static,
    B: RequestBody,
    R: Body<Data = Bytes, Error: Send> + Send + 'static,
    P: Protocol,
{
    poll_fn(|cx| service.poll_ready(cx)).await?;
    let start = shared.cache.knowledge().begin();
    let (schema, stream) = match call.kind {
        Kind::Write { schema, stream } => (schema, stream),
        _ => (false, false),
    };
    let schema_write = schema.then(|| SchemaWrite {
        shared: Arc::clone(&shared),
        outcome_known: false,
    });
    let session = shared.session(request.headers(), request.uri());
    let write = Write { call, start, session };
    let reply = service.call(request);
    let outcome = learn(Arc::clone(&shared), reply, write, schema_write);
    if stream {
        outcome.await
    } else {
        Outliving::new(shared, caller, outcome).await
    }
}

/// A write under way.
struct Write {
    call: Call,
    start: CallStart,
    /// The tokens that its caller brought.
    session: Floors,
}

async fn learn<P: Protocol, R, E>(
    shared: Arc<Shared<P>>,
    reply: impl Future<Output = Result<Response<R>, E>>,
    write: Write,
    mut schema_write: Option<SchemaWrite<P>>,
) -> Result<Response<ZookieBody<R>>, E>
where
    R: Body<Data = Bytes>,
{
    let (parts, body) = reply.await?.into_parts();
    let mut reader = Reader::new(Box::pin(body), shared.settings.max_reply_body);
    let (message, trailers, unread) = match poll_fn(|cx| reader.poll_read(cx)).await {
        Read::Whole { message, trailers } => (message, trailers, None),
        Read::Unread(replay) => (Bytes::new(), None, Some(replay)),
    };
    let reply = Reply {
        status: parts.status,
        headers: &parts.headers,
        body: &message,
        trailers: trailers.as_ref(),
    };
    let learned = shared.protocol.learn(&write.call, &Bytes::new(), &[], &reply);
    let rejected = is_rejection(parts.status) || matches!(learned, ReplyOutcome::NotWritten);
    let body = match unread {
        Some(replay) => ZookieBody::replayed(replay),
        None => ZookieBody::stored(message, trailers),
    };
    let mut response = Response::from_parts(parts, body);
    let wrote = matches!(learned, ReplyOutcome::Wrote { .. });
    let token = match learned {
        ReplyOutcome::Wrote { token, schema } => {
            let token = shared.read_token(response.headers(), token.as_deref());
            match &token {
                Some(Ok(token)) => shared.cache.learn_write(&write.start, &token.revision),
                // The store says when, in a token that is too long to be read. Nothing is learned from it.
                Some(Err(error)) if matches!(error.kind(), TokenErrorKind::TooLong { .. }) => {}
                // Something changed, and the reply does not say when: no answer's span is known any more.
                Some(Err(_)) | None => shared.cache.schema_changed(),
            }
            if schema {
                shared.cache.schema_changed();
            }
            token.and_then(Result::ok)
        }
        _ => None,
    };
    if let Some(schema_write) = &mut schema_write {
        // A gateway's 504, say, leaves open whether the schema has changed.
        schema_write.outcome_known = wrote || rejected;
    }
    shared.mark_write(response.headers_mut(), token.as_deref(), write.session);
    Ok(response)
}

/// Whether a status says that nothing was done. That the caller took too long, or left, does not say so.
fn is_rejection(status: StatusCode) -> bool {
    const LEFT: u16 = 499;
    status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT && status.as_u16() != LEFT
}

/// A schema write under way. Ends all spans if dropped before its outcome is known: its reply may never come.
struct SchemaWrite<P: Protocol> {
    shared: Arc<Shared<P>>,
    outcome_known: bool,
}

impl<P: Protocol> Drop for SchemaWrite<P> {
    fn drop(&mut self) {
        if !self.outcome_known {
            self.shared.schema_may_have_changed();
        }
    }
}
