//! One row of the comparison, and what every row needs.

use std::fmt::Debug;

use http::Request;
use tower::{Service, ServiceExt};

use crate::measure::Caller;

/// The row that the others are compared with.
pub(crate) const MOKA: &str = "moka get";

/// One caller for each thread.
pub(crate) const THREADS: usize = 2;

/// One of the things compared.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// The row that this one is compared with.
    pub(crate) base: &'static str,
    pub(crate) callers: Vec<Box<dyn Caller>>,
    /// Panics unless all calls so far did what they were meant to.
    pub(crate) verify: Box<dyn Fn()>,
}

impl Row {
    pub(crate) fn new(name: &'static str, caller: impl Fn(usize) -> Box<dyn Caller>) -> Self {
        Self {
            name,
            base: MOKA,
            callers: (0..THREADS).map(caller).collect(),
            verify: Box::new(|| ()),
        }
    }

    pub(crate) fn compared_with(self, base: &'static str) -> Self {
        Self { base, ..self }
    }
}

/// What a caller needs from a service.
pub(crate) trait Asked<B>: Service<Request<B>, Error: Debug, Future: Send> + Clone + Send + 'static {}

impl<B, S> Asked<B> for S where S: Service<Request<B>, Error: Debug, Future: Send> + Clone + Send + 'static {}

/// Makes these requests, one after the other.
pub(crate) fn ask_each<B>(service: &impl Asked<B>, requests: impl Iterator<Item = Request<B>>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        for request in requests {
            service.clone().oneshot(request).await.expect("a reply");
            // Some caches store replies in separate tasks.
            tokio::task::yield_now().await;
        }
    });
}
