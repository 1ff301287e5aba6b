//! Connections to one upstream over HTTP/2, shared by the calls of all callers.
//!
//! A call goes to the connection with the fewest calls under way. When that one is half full, another is opened; when all
//! are full, the call waits for one. A connection is replaced after it has made or cancelled many calls: it gets no new
//! ones, and closes when those under way have ended.

mod connection;
mod heard;
mod lease;
mod state;

use std::fmt;
use std::sync::Arc;

use http::{Request, Response, Uri};
use tokio::time::timeout;

use self::connection::Connecting;
use self::lease::Lease;
use self::state::{Shared, Taken};
use super::connect::{ConnectError, Connector};
use super::limits::WAIT;
use super::upstream::RequestBody;

pub use self::heard::Heard;
pub use self::lease::ReplyBody;

/// A connection can break just when a call is given to it. So many times the call is given to another one.
const ATTEMPTS: usize = 8;

/// How much of a message over HTTP/1 is read at a time: hyper's own choice.
const USUAL_BUFFER: usize = 400 << 10;

/// Clones share its connections.
#[derive(Clone)]
pub struct Pool {
    shared: Arc<Shared>,
}

/// What a pool's connections are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many connections there may be.
    pub connections: usize,
    /// The largest head or trailers, in bytes.
    pub headers: u32,
}

impl Limits {
    /// Room for a head over HTTP/1, and never less than usual.
    pub(super) fn http1_buffer(self) -> usize {
        (self.headers as usize).max(USUAL_BUFFER)
    }
}

/// Why a call has no reply.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    #[error(transparent)]
    Unreachable(Arc<ConnectError>),
    #[error("all connections to the upstream are in use; --max-upstream-connections allows more")]
    Full,
    #[error(transparent)]
    Broken(#[from] hyper::Error),
}

impl Pool {
    pub(super) fn new(connector: Connector, uri: Uri, limits: Limits) -> Self {
        let connecting = Connecting::new(connector, uri, limits.headers);
        Self {
            shared: Shared::new(connecting, limits.connections),
        }
    }

    /// Makes a call. Its URI is absolute.
    pub(super) async fn call(&self, mut request: Request<RequestBody>) -> Result<Response<ReplyBody>, CallError> {
        let mut attempts = 0;
        loop {
            let mut lease = self.lease().await?;
            let error = match lease.sender().try_send_request(request).await {
                Ok(reply) => return Ok(reply.map(|body| ReplyBody::leased(body, lease))),
                Err(error) => error,
            };
            lease.ended();
            let mut error = error;
            match error.take_message() {
                // The connection is closed or was about to, and nothing of the call was sent.
                Some(unsent) if attempts < ATTEMPTS => {
                    lease.is_broken();
                    request = unsent;
                    attempts += 1;
                }
                _ => return Err(error.into_error().into()),
            }
        }
    }

    async fn lease(&self) -> Result<Lease, CallError> {
        let later = match self.shared.take() {
            Taken::Now(lease) => return Ok(lease),
            Taken::Later(later) => later,
        };
        match timeout(WAIT, later).await {
            Ok(Ok(Ok(lease))) => Ok(lease),
            Ok(Ok(Err(error))) => Err(CallError::Unreachable(error)),
            // A waiting call is never forgotten.
            Ok(Err(_)) | Err(_) => Err(CallError::Full),
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}
