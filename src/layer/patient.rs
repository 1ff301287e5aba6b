use std::sync::Arc;

use http::Response;
use http_body::Body;
use tokio::time::timeout_at;

use super::body::ZookieBody;
use super::decide::Asking;
use super::shared::Shared;
use crate::protocol::{Protocol, Rejection};

/// Waits for a reply as long as its caller is ready to. What was begun for it goes on for others.
pub(super) async fn wait<P: Protocol, R: Body, E>(
    shared: Arc<Shared<P>>,
    asking: Arc<Asking>,
    reply: impl Future<Output = Result<Response<ZookieBody<R>>, E>>,
) -> Result<Response<ZookieBody<R>>, E> {
    let Some(deadline) = asking.timeout.and_then(|timeout| asking.arrived.checked_add(timeout)) else {
        return reply.await;
    };
    match timeout_at(deadline, reply).await {
        Ok(reply) => reply,
        Err(_) => Ok(shared.rejection(&asking, &Rejection::UpstreamTimeout)),
    }
}
