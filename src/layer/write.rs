use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::body::{Read, Reader, RequestBody, ZookieBody};
use super::shared::Shared;
use crate::protocol::{Call, Learned, Protocol, Reply};

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
    let start = shared.cache.trust().begin();
    let (parts, body) = service.call(request).await?.into_parts();
    let mut reader = Reader::new(Box::pin(body), shared.settings.max_reply_body);
    let read = poll_fn(|cx| reader.poll_read(cx)).await;

    let (learned, body) = match read {
        Read::Whole { message, trailers } => {
            let reply = Reply {
                status: parts.status,
                headers: &parts.headers,
                body: &message,
                trailers: trailers.as_ref(),
            };
            let learned = shared.protocol.learn(&call, &Bytes::new(), &[], &reply);
            (learned, ZookieBody::stored(message, trailers))
        }
        Read::Unread(replay) => {
            let reply = Reply {
                status: parts.status,
                headers: &parts.headers,
                body: &Bytes::new(),
                trailers: None,
            };
            (
                shared.protocol.learn(&call, &Bytes::new(), &[], &reply),
                ZookieBody::replayed(replay),
            )
        }
    };
    let mut response = Response::from_parts(parts, body);
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
    shared.mark_write(response.headers_mut(), token.as_ref().map(|token| &token.zookie));
    Ok(response)
}
