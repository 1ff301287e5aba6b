//! Times calls, net of building their requests.

use std::hint::black_box;
use std::pin::pin;
use std::time::{Duration, Instant};

use http::{Request, Response};
use http_body::Body;
use http_body_util::BodyExt;
use tower::{Service, ServiceExt};

use crate::counting::Heap;

/// The cost of some calls.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    pub(crate) calls: usize,
    pub(crate) nanos: f64,
    pub(crate) heap: Heap,
}

impl Cost {
    pub(crate) fn and(self, more: Self) -> Self {
        Self {
            calls: self.calls + more.calls,
            nanos: self.nanos + more.nanos,
            heap: Heap {
                allocations: self.heap.allocations + more.heap.allocations,
                bytes: self.heap.bytes + more.heap.bytes,
            },
        }
    }
}

/// What one thread drives: asks the checks of these ranks, and returns the cost.
pub(crate) trait Caller: Send {
    fn ask(&mut self, ranks: &[usize]) -> Cost;
}

/// Looks up keys.
pub(crate) struct LookUp<F>(pub(crate) F);

impl<F, V> Caller for LookUp<F>
where
    F: Fn(usize) -> V + Send,
{
    fn ask(&mut self, ranks: &[usize]) -> Cost {
        let (before, start) = (Heap::so_far(), Instant::now());
        for rank in ranks {
            black_box((self.0)(*rank));
        }
        let elapsed = start.elapsed();
        cost(ranks.len(), elapsed, Duration::ZERO, Heap::so_far() - before)
    }
}

/// Calls a service.
pub(crate) struct Calls<S, F> {
    service: S,
    request: F,
    runtime: tokio::runtime::Runtime,
}

impl<S, F> Calls<S, F> {
    pub(crate) fn new(service: S, request: F) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Self {
            service,
            request,
            runtime: runtime.expect("a runtime"),
        }
    }
}

impl<S, F, B, R> Caller for Calls<S, F>
where
    S: Service<Request<B>, Response = Response<R>> + Send,
    S::Error: std::fmt::Debug,
    F: FnMut(usize) -> Request<B> + Send,
    R: Body,
{
    fn ask(&mut self, ranks: &[usize]) -> Cost {
        let mut requests: Vec<_> = ranks.iter().map(|rank| (self.request)(*rank)).collect();
        let service = &mut self.service;
        let (elapsed, heap) = self.runtime.block_on(async {
            let (before, start) = (Heap::so_far(), Instant::now());
            for request in requests.drain(..) {
                let ready = service.ready().await.expect("ready");
                let response = ready.call(request).await.expect("a reply");
                let (parts, body) = response.into_parts();
                let mut body = pin!(body);
                while let Some(frame) = body.frame().await {
                    black_box(frame.ok());
                }
                black_box(parts);
            }
            (start.elapsed(), Heap::so_far() - before)
        });
        // Without the service, the builder of a request would also have to drop it.
        requests.extend(ranks.iter().map(|rank| (self.request)(*rank)));
        let start = Instant::now();
        requests.drain(..).for_each(|request| drop(black_box(request)));
        cost(ranks.len(), elapsed, start.elapsed(), heap)
    }
}

fn cost(calls: usize, elapsed: Duration, dropping: Duration, heap: Heap) -> Cost {
    Cost {
        calls,
        nanos: elapsed.as_nanos() as f64 - dropping.as_nanos() as f64,
        heap,
    }
}
