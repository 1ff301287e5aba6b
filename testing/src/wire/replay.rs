//! An upstream that answers from a recording.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::time::Instant;
use tower::Service;

use crate::wire::{Call, Recorded, Recording, ReplayBody, spicedb};

/// An upstream that gives the recorded reply to each recorded request, and fails for other requests.
///
/// A request is a recorded one if method, path, credentials, the header for debug information and the body are the
/// same, byte for byte or as JSON. Of several such calls each is replayed in its turn, and the last one from then on.
///
/// A SpiceDB is more than its recording: a token spelled canonically is the recorded one, and a check that is fully
/// consistent, or at least as fresh as a write, is answered in that state, though it was recorded in another one. The
/// answer is the one recorded in that state, or else the last one before, with the token of the state's write.
#[derive(Clone)]
pub struct Replay {
    recording: Recording,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    asked: Vec<Replayed>,
    /// Calls before this one are over, and so are those that were replayed since.
    now: usize,
    since: usize,
    /// What is replied to a call instead of the recorded body.
    replaced: HashMap<usize, Bytes>,
}

/// A request that the upstream received.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// The recorded call that answered it. `None`: no recorded call matched, and it failed.
    pub call: Option<Arc<Call>>,
    pub request: Request<Bytes>,
    /// The body of its reply.
    pub reply: Bytes,
    pub at: Instant,
}

impl Replay {
    pub fn new(recording: &Recording) -> Self {
        Self {
            recording: recording.clone(),
            state: Arc::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Treats exactly the calls before the `n`th as over: of two equal calls, a later one is replayed.
    pub fn skip_to(&self, n: usize) {
        let mut state = self.state();
        state.now = n;
        state.since = state.asked.len();
    }

    /// Replies to a call with another body.
    pub fn replace(&self, call: &Call, body: Bytes) {
        self.state().replaced.insert(call.n, body);
    }

    /// All that it was asked.
    pub fn asked(&self) -> Vec<Replayed> {
        self.state().asked.clone()
    }

    /// How often it was asked.
    pub fn calls(&self) -> usize {
        self.state().asked.len()
    }

    /// The recorded calls with the same bytes, or else those with the same JSON.
    fn twins(&self, request: &Request<Bytes>) -> Vec<&Arc<Call>> {
        let twins = || {
            self.recording
                .calls
                .iter()
                .filter(|call| is_twin(&call.request, request))
        };
        let same: Vec<_> = twins().filter(|call| call.request.body() == request.body()).collect();
        if !same.is_empty() {
            return same;
        }
        let same: Vec<_> = twins()
            .filter(|call| is_same_json(call.request.body(), request.body()))
            .collect();
        if !same.is_empty() {
            return same;
        }
        twins()
            .filter(|call| spicedb::is_spelled_anew(&call.request, request))
            .collect()
    }

    /// What SpiceDB answers in another state than the one in which this was recorded, if it was recorded.
    fn in_state(&self, state: &State, request: &Request<Bytes>) -> Option<(Vec<Arc<Call>>, Option<Bytes>)> {
        let calls = &self.recording.calls;
        let writes = state.asked.iter().filter_map(|asked| asked.call.as_ref());
        let writes = writes.filter(|call| spicedb::is_write(call));
        let head = writes.filter_map(|call| spicedb::last_write(calls, call.n + 1));
        let head = head.chain(spicedb::last_write(calls, state.now)).max();
        let at = spicedb::state_of(request, calls, head)?;
        let twins: Vec<_> = calls.iter().filter(|call| is_twin(&call.request, request)).collect();
        spicedb::in_state(request, &twins, calls, at)
    }

    fn answer(&self, request: Request<Bytes>) -> Result<Response<ReplayBody>, io::Error> {
        let mut state = self.state();
        let replayed = |call: &Call| {
            let asked = &state.asked[state.since..];
            asked
                .iter()
                .any(|past| past.call.as_ref().is_some_and(|past| past.n == call.n))
        };
        let over = |call: &Arc<Call>| call.n < state.now || replayed(call);
        let twins: Vec<_> = self.twins(&request).into_iter().cloned().collect();
        let moves = twins.is_empty() || spicedb::is_at_head(&request);
        let in_state = moves.then(|| self.in_state(&state, &request)).flatten();
        let (twins, instead) = in_state.unwrap_or((twins, None));
        let call = twins.iter().find(|call| !over(call)).or(twins.last()).cloned();
        let frames = call.as_ref().map(|call| {
            let instead = instead.as_ref().or(state.replaced.get(&call.n));
            instead.map_or(call.response.frames.clone(), |body| vec![body.clone()])
        });
        state.asked.push(Replayed {
            call: call.clone(),
            request,
            reply: frames.iter().flatten().flatten().copied().collect(),
            at: Instant::now(),
        });
        let (Some(call), Some(frames)) = (call, frames) else {
            return Err(io::Error::other("no reply to this was recorded"));
        };
        Ok(Recorded {
            frames,
            ..call.response.clone()
        }
        .replay())
    }
}

fn is_twin(recorded: &Request<Bytes>, request: &Request<Bytes>) -> bool {
    let same = |name: &str| recorded.headers().get(name) == request.headers().get(name);
    recorded.method() == request.method()
        && recorded.uri().path() == request.uri().path()
        && ["authorization", "io.spicedb.requestdebuginfo"].into_iter().all(same)
}

fn is_same_json(a: &[u8], b: &[u8]) -> bool {
    let value = |text| serde_json::from_slice::<Value>(text).ok();
    value(a).is_some_and(|a| Some(a) == value(b))
}

impl<B> Service<Request<B>> for Replay
where
    B: Body<Data = Bytes, Error = Infallible>,
{
    type Response = Response<ReplayBody>;
    type Error = io::Error;
    type Future = Ready<Result<Response<ReplayBody>, io::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Poll::Ready(Ok(()))
    }

    /// Request bodies have to be complete already.
    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (parts, body) = request.into_parts();
        let body = read_now(body);
        ready(self.answer(Request::from_parts(parts, body)))
    }
}

fn read_now<B: Body<Data = Bytes, Error = Infallible>>(body: B) -> Bytes {
    let mut collected = pin!(body.collect());
    let mut context = Context::from_waker(Waker::noop());
    match collected.as_mut().poll(&mut context) {
        Poll::Ready(Ok(collected)) => collected.to_bytes(),
        Poll::Pending => panic!("a request body that is not there yet"),
    }
}
