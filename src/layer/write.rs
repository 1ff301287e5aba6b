use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::body::{Read, Reader, RequestBody, ZookieBody};
use super::shared::Shared;
use crate::protocol::{Call, Kind, Learned, Protocol, Reply};

/// Hands a write on as it came, and learns from the reply.
pub(super) async fn forward<S, P, B, R>(
    shared: Arc<Shared<P>>,
    mut service: S,
    request: Request<B>,
    call: Call,
) -> Result<Response<ZookieBody<R>>, S::Error>
where
    S: Service<Request<B>, Response = Response<R>, Error: Send, Future: Send> + Clone + Send + 'static,
    B: RequestBody,
    R: Body<Data = Bytes, Error: Send> + Send + 'static,
    P: Protocol,
{
    poll_fn(|cx| service.poll_ready(cx)).await?;
    let start = shared.cache.knowledge().begin();
    let schema = matches!(call.kind, Kind::Write { schema: true });
    let mut schema_write = schema.then(|| SchemaWrite {
        shared: Arc::clone(&shared),
        outcome_known: false,
    });
    let (parts, body) = service.call(request).await?.into_parts();
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
    let learned = shared.protocol.learn(&call, &Bytes::new(), &[], &reply);
    let refused = parts.status.is_client_error() || matches!(learned, Learned::NotWritten);
    let body = match unread {
        Some(replay) => ZookieBody::replayed(replay),
        None => ZookieBody::stored(message, trailers),
    };
    let mut response = Response::from_parts(parts, body);
    let wrote = matches!(learned, Learned::Wrote { .. });
    let token = match learned {
        Learned::Wrote { token, schema } => {
            let token = shared.reply_token(response.headers(), token.as_deref());
            match &token {
                Some(token) => shared.cache.learn_write(&start, &token.revision),
                // Something changed, and nobody says when: no answer's span is known any more.
                None => shared.cache.schema_changed(),
            }
            if schema {
                shared.cache.schema_changed();
            }
            token
        }
        _ => None,
    };
    if let Some(write) = &mut schema_write {
        // A gateway's 504, say, leaves open whether the schema has changed.
        write.outcome_known = wrote || refused;
    }
    shared.mark_write(response.headers_mut(), token.as_ref().map(|token| &token.zookie));
    Ok(response)
}

/// A schema write under way. Ends all spans if dropped before its outcome is known: its caller may hang up, or its reply
/// may never come.
struct SchemaWrite<P: Protocol> {
    shared: Arc<Shared<P>>,
    outcome_known: bool,
}

impl<P: Protocol> Drop for SchemaWrite<P> {
    fn drop(&mut self) {
        if !self.outcome_known {
            self.shared.cache.schema_changed();
        }
    }
}
