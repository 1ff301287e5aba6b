use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use tokio::time::{Sleep, sleep_until};

use crate::store::node::link::{Incoming, LinkError};
use crate::store::node::network::state::{Cursor, Next, State};

/// What comes to one place.
pub(super) struct Arrivals {
    state: Arc<Mutex<State>>,
    cursor: Cursor,
    sleep: Option<Pin<Box<Sleep>>>,
    is_over: bool,
}

impl Arrivals {
    pub(super) fn new(state: Arc<Mutex<State>>, cursor: Cursor) -> Self {
        Self {
            state,
            cursor,
            sleep: None,
            is_over: false,
        }
    }
}

impl Stream for Arrivals {
    type Item = Result<Incoming, LinkError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.is_over {
            return Poll::Ready(None);
        }
        loop {
            let next = {
                let mut state = this.state.lock().unwrap_or_else(PoisonError::into_inner);
                state.next(&mut this.cursor, cx.waker())
            };
            match next {
                Next::Deliver(incoming) => return Poll::Ready(Some(Ok(incoming))),
                Next::Fail(error) => {
                    this.is_over = true;
                    return Poll::Ready(Some(Err(error)));
                }
                Next::WaitUntil(None) => return Poll::Pending,
                Next::WaitUntil(Some(instant)) => {
                    let sleep = this.sleep.insert(Box::pin(sleep_until(instant)));
                    ready!(sleep.as_mut().poll(cx));
                }
            }
        }
    }
}
