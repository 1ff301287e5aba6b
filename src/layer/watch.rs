use std::borrow::Cow;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Body;
use tokio::time::{sleep, timeout};
use tower_service::Service;

use crate::layer::body::{Replay, RequestBody};
use crate::layer::handle::Handle;
use crate::layer::state::LayerState;
use crate::protocol::kit::grpc::Code;
use crate::protocol::{Protocol, Unreadable};
use crate::warnings::Warning;

const SHORTEST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How long a feed may take to open, and then be silent while it has never spoken. Permify's never will where its tenant was empty when it was opened.
const LONGEST_SILENCE: Duration = Duration::from_secs(30);

const SILENT: &str = "it was silent";

/// The protocol has no change feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this API has no change feed that could be watched; leave `watch` out")]
#[non_exhaustive]
pub struct NoChangeFeed;

impl<P: Protocol> Handle<P> {
    /// Follows the store's change feed for a tenant, so that revisions which others wrote are named. Goes on
    /// until it is dropped: when the feed ends or fails it is opened again, after a pause of half a second that doubles
    /// up to half a minute; and so is one that does not open within half a minute, or then reports nothing for as long.
    ///
    /// `service` is the client that the layer was put before, not the layered one. Where the feed wants credentials, wrap
    /// it in a layer that adds them.
    ///
    /// # Errors
    ///
    /// [`NoChangeFeed`], at once, where the protocol has none.
    pub async fn watch<S, B, R>(&self, mut service: S, tenant: &str) -> Result<Infallible, NoChangeFeed>
    where
        S: Service<Request<B>, Response = Response<R>>,
        B: RequestBody,
        R: Body<Data = Bytes>,
    {
        let mut pause = SHORTEST_PAUSE;
        loop {
            let (head, message) = self.0.protocol.watch(tenant).ok_or(NoChangeFeed)?;
            let request = Request::from_parts(head, B::replay(Replay::whole(message, None)));
            let opening = async {
                match poll_fn(|cx| service.poll_ready(cx)).await {
                    Ok(()) => service.call(request).await.map_err(|_| "the upstream failed"),
                    Err(_) => Err("the upstream is not ready"),
                }
            };
            let ended = match timeout(LONGEST_SILENCE, opening).await {
                // Go's servers send the head of a stream with its first message.
                Err(_) => SILENT.into(),
                Ok(Err(ended)) => ended.into(),
                Ok(Ok(reply)) => {
                    let mut feed = Feed::new(&self.0);
                    let ended = feed.follow(reply).await;
                    if feed.has_named {
                        pause = SHORTEST_PAUSE;
                    }
                    ended
                }
            };
            match &*ended {
                SILENT => tracing::debug!("the change feed has named nothing: it is opened again"),
                ended => self.0.warnings.give(Warning::FeedEnded.name(), || {
                    tracing::warn!(
                        %ended,
                        ?pause,
                        "the change feed ended: the layer does not see what others write until it is open again; check that \
                         the service has its feed switched on, and the credentials of `watch`"
                    );
                }),
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// The change feed, opened once.
struct Feed<'a, P> {
    state: &'a LayerState<P>,
    arrived: BytesMut,
    /// It has named a revision.
    has_named: bool,
}

impl<'a, P: Protocol> Feed<'a, P> {
    fn new(state: &'a LayerState<P>) -> Self {
        Self {
            state,
            arrived: BytesMut::new(),
            has_named: false,
        }
    }

    /// Learns from the feed until it ends, and says why it did.
    async fn follow<R: Body<Data = Bytes>>(&mut self, reply: Response<R>) -> Cow<'static, str> {
        if reply.status() != StatusCode::OK {
            return format!("the upstream answered with {}", reply.status()).into();
        }
        if let Some(ended) = ended_with(reply.headers()) {
            return ended;
        }
        let mut body = pin!(reply.into_body());
        loop {
            let next = poll_fn(|cx| body.as_mut().poll_frame(cx));
            let frame = match self.in_time(next).await {
                None => return SILENT.into(),
                Some(None) => return "the upstream ended it without a status".into(),
                Some(Some(Err(_))) => return "it broke off".into(),
                Some(Some(Ok(frame))) => frame,
            };
            let data = match frame.into_data() {
                Ok(data) => data,
                Err(other) => match other.trailers_ref().and_then(ended_with) {
                    Some(ended) => return ended,
                    None => continue,
                },
            };
            if let Err(why) = self.hear(&data) {
                return why.0.into();
            }
        }
    }

    async fn in_time<T>(&self, next: impl Future<Output = T>) -> Option<T> {
        if self.has_named {
            Some(next.await)
        } else {
            timeout(LONGEST_SILENCE, next).await.ok()
        }
    }

    fn hear(&mut self, data: &[u8]) -> Result<(), Unreadable> {
        let (protocol, longest) = (&self.state.protocol, self.state.settings.max_reply_body);
        self.arrived.extend_from_slice(data);
        while let Some(message) = protocol.feed_message(&mut self.arrived, longest)? {
            let feed_token = protocol.feed_token(&message);
            if let Some(token) = feed_token.and_then(|token| self.state.memo.parse(&token).ok()) {
                self.state.cache.wrote(&token.revision);
                self.has_named = true;
            }
        }
        Ok(())
    }
}

/// What a gRPC status says, without its message, which may name a subject.
fn ended_with(status: &HeaderMap) -> Option<Cow<'static, str>> {
    let number = status.get("grpc-status")?.to_str().ok()?;
    let code = number.parse().ok().and_then(Code::numbered);
    Some(match code {
        Some(code) => format!("the upstream ended it with status {number}, {code:?}").into(),
        None => "the upstream ended it with an unknown status".into(),
    })
}
