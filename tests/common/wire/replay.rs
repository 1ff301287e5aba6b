//! An upstream that answers as was recorded.

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

use super::{Call, Recorded, Recording, ReplayBody};

/// An upstream that gives the recorded reply to each recorded request, and none to others.
///
/// A request is a recorded one if method, path, credentials, the wish for debug information and the body are the same,
/// byte for byte or as JSON. Of several such calls each is replayed in its turn, and the last one from then on.
#[derive(Clone)]
pub struct Replay {
    recording: Recording,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    asked: Vec<Replayed>,
    /// Calls before this one are over.
    now: usize,
    /// What is replied to a call instead of the recorded body.
    replaced: HashMap<usize, Bytes>,
}

/// A request that came to the upstream.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// The recorded call that answered it; `None`: there was none, and it failed.
    pub call: Option<Arc<Call>>,
    pub request: Request<Bytes>,
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

    /// Takes calls before the `n`th for over: of twins, a later one is replayed.
    pub fn skip_to(&self, n: usize) {
        self.state().now = n;
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

    /// The recorded calls of the same bytes, or else those of the same JSON.
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
        twins()
            .filter(|call| is_same_json(call.request.body(), request.body()))
            .collect()
    }

    fn answer(&self, request: Request<Bytes>) -> Result<Response<ReplayBody>, io::Error> {
        let mut state = self.state();
        let over = |call: &Arc<Call>| {
            let replayed = |past: &Replayed| past.call.as_ref().is_some_and(|past| past.n == call.n);
            call.n < state.now || state.asked.iter().any(replayed)
        };
        let twins = self.twins(&request);
        let call = twins.iter().find(|call| !over(call)).or(twins.last()).cloned().cloned();
        state.asked.push(Replayed {
            call: call.clone(),
            request,
            at: Instant::now(),
        });
        let call = call.ok_or_else(|| io::Error::other("nobody recorded a reply to this"))?;
        let frames = state
            .replaced
            .get(&call.n)
            .map_or(call.response.frames.clone(), |body| vec![body.clone()]);
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

    /// Request bodies have to be there already.
    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (head, body) = request.into_parts();
        let body = read_now(body);
        ready(self.answer(Request::from_parts(head, body)))
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
