//! Records what writes did to objects.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, Response, StatusCode};

use crate::layer::body::{RequestBody, ZookieBody};
use crate::layer::inner::Upstream;
use crate::layer::state::LayerState;
use crate::layer::upstream::head::ask_revision;
use crate::objects::{ObjectFloors, ObjectKey, ObjectsError};
use crate::protocol::{Protocol, Rejection, ReplyOutcome, Route};
use crate::revision::Revision;
use crate::warnings::Warning;

/// How a write ended, for the objects that it touched.
#[derive(Debug)]
pub(super) enum Written {
    /// It made this revision, or one before it.
    At(Revision),
    /// It was made, and its reply names no revision.
    Somewhere,
    /// It changed nothing, because of what the store holds. An earlier attempt of it may have.
    Before,
    /// It was certainly not made.
    Not,
    /// It may have been made, and may still run.
    Unknown,
}

impl Written {
    /// How a write ended whose reply names no revision.
    pub(super) fn without_token(outcome: &ReplyOutcome, status: StatusCode) -> Self {
        match outcome {
            ReplyOutcome::Wrote { .. } => Self::Somewhere,
            ReplyOutcome::Unchanged => Self::Before,
            ReplyOutcome::NotWritten => Self::Not,
            _ if matches!(status, StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED) => Self::Before,
            _ if says_nothing_was_done(status) => Self::Not,
            _ => Self::Unknown,
        }
    }
}

/// Whether a status says that nothing was done. A status that says that the caller took too long, or left, does not.
pub(super) fn says_nothing_was_done(status: StatusCode) -> bool {
    const LEFT: u16 = 499;
    status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT && status.as_u16() != LEFT
}

/// The objects of a write. If it is dropped while the write is under way, they are left unsettled.
#[derive(Debug)]
pub(in crate::layer) struct Touched {
    objects: Arc<ObjectFloors>,
    keys: Vec<ObjectKey>,
    is_under_way: bool,
}

impl Touched {
    pub(in crate::layer) fn new(objects: &Arc<ObjectFloors>, keys: Vec<ObjectKey>) -> Self {
        Self {
            objects: Arc::clone(objects),
            keys,
            is_under_way: false,
        }
    }

    /// The write is sent now.
    pub(super) fn begin(&mut self) {
        self.is_under_way = true;
    }

    /// Records how the write ended. `read_head` asks the store for its head.
    pub(super) async fn record<F>(
        mut self,
        written: Written,
        read_head: impl FnOnce() -> F,
    ) -> Result<(), Arc<ObjectsError>>
    where
        F: Future<Output = Vec<Revision>>,
    {
        let (objects, keys) = (Arc::clone(&self.objects), &self.keys);
        let counters = objects.counters();
        let (recorded, counter) = match written {
            Written::Not => {
                self.is_under_way = false;
                return Ok(());
            }
            Written::At(revision) => (objects.record(keys, [revision]).await, &counters.recorded),
            Written::Somewhere | Written::Before => match read_head().await {
                heads if heads.is_empty() => (objects.unsettle(keys).await, &counters.left_unsettled),
                heads => (objects.record(keys, heads).await, &counters.heads_recorded),
            },
            Written::Unknown => (objects.leave_open(keys).await, &counters.left_unsettled),
        };
        match recorded {
            Ok(()) => counter.add(),
            Err(_) => counters.not_recorded.add(),
        }
        self.is_under_way = false;
        recorded
    }
}

impl Drop for Touched {
    fn drop(&mut self) {
        if !self.is_under_way {
            return;
        }
        let (objects, keys) = (Arc::clone(&self.objects), std::mem::take(&mut self.keys));
        // Without a runtime the process ends, and the caller gets no reply.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let counters = objects.counters();
                match objects.leave_open(&keys).await {
                    Ok(()) => counters.left_unsettled.add(),
                    Err(_) => counters.not_recorded.add(),
                }
            });
        }
    }
}

/// Asks the store for its head, with the credentials of a write. Empty if it does not say.
///
/// It asks twice, one after the other: a store may share one query among the callers that come while it runs, so that the
/// first reply can be of a query that began before the write ended.
pub(super) async fn read_head<S, P, B>(
    state: &LayerState<P>,
    inner: &mut S,
    route: Route,
    parts: &Parts,
) -> Vec<Revision>
where
    S: Upstream<B>,
    P: Protocol,
    B: RequestBody,
{
    let mut heads = Vec::new();
    for _ in 0..2 {
        let Some(request) = state.head_read(route, parts) else {
            return Vec::new();
        };
        match ask_revision::<S, P, B>(state, inner, request, || {}).await {
            Some(head) => {
                state.cache.wrote(&head);
                heads.push(head);
            }
            None => return Vec::new(),
        }
    }
    heads
}

impl<P: Protocol> LayerState<P> {
    /// The reply to a write whose token could not be recorded. `response` is the service's own.
    pub(super) fn not_recorded<R: http_body::Body>(
        &self,
        route: Route,
        headers: &HeaderMap,
        error: &ObjectsError,
        response: Response<ZookieBody<R>>,
    ) -> Response<ZookieBody<R>> {
        self.warnings.give(Warning::NotRecorded.name(), || {
            tracing::warn!(
                error = error as &dyn std::error::Error,
                "a write was made, and its token could not be recorded; its caller got an error, unless `pass_unrecorded` is \
                 set. Check the store of `objects`, and `record_timeout`"
            );
        });
        if self.objects.as_ref().is_some_and(|objects| objects.pass_unrecorded) {
            return response;
        }
        self.reject(route, headers, &Rejection::NotRecorded).map(Into::into)
    }
}
