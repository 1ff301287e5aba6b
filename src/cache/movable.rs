//! A future that runs where its caller polls it, and can move to the runtime at any time.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use tokio::runtime::Handle;
use tokio::sync::oneshot;

pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// How a future goes on after it has moved to the runtime.
pub(crate) trait OnRuntime<T>: Send + Sized + 'static {
    /// Runs the future, and sends what comes of it to its caller, who may have left. `None`: it ends here.
    fn run(self, future: BoxFuture<T>, caller: oneshot::Sender<T>) -> Option<BoxFuture<()>>;
}

/// A future that is polled by its caller. When the caller drops it, or when [`MoveToRuntime::move_to_runtime`] is called,
/// it moves to the runtime and goes on there.
///
/// Its output is `None` if it panicked, or ended on the runtime without one.
pub(crate) struct Movable<T: Send + 'static, C: OnRuntime<T>>(Arc<Shared<T, C>>);

/// Moves a future to the runtime from outside.
pub(crate) trait MoveToRuntime: Send + Sync {
    fn move_to_runtime(&self);
}

struct Shared<T, C>(Mutex<Place<T, C>>);

/// Where the future is.
enum Place<T, C> {
    /// Its caller holds it, and polled it last with this waker.
    Caller {
        future: BoxFuture<T>,
        on_runtime: C,
        waker: Option<Waker>,
    },
    /// Its caller is polling it at this moment, and moves it right after that if `then_move` is set.
    Polled {
        then_move: bool,
    },
    /// On the runtime, which sends its output.
    Runtime(oneshot::Receiver<T>),
    Ended,
}

impl<T: Send + 'static, C: OnRuntime<T>> Movable<T, C> {
    pub(crate) fn new(future: BoxFuture<T>, on_runtime: C) -> Self {
        Self(Arc::new(Shared(Mutex::new(Place::Caller {
            future,
            on_runtime,
            waker: None,
        }))))
    }

    /// What moves the future from outside, as long as its caller holds it.
    pub(crate) fn mover(&self) -> Weak<dyn MoveToRuntime> {
        let shared: Weak<Shared<T, C>> = Arc::downgrade(&self.0);
        shared
    }
}

impl<T, C> Shared<T, C> {
    fn place(&self) -> MutexGuard<'_, Place<T, C>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Send + 'static, C: OnRuntime<T>> MoveToRuntime for Shared<T, C> {
    fn move_to_runtime(&self) {
        let mut place = self.place();
        match mem::replace(&mut *place, Place::Ended) {
            Place::Caller {
                future,
                on_runtime,
                waker,
            } => {
                *place = Place::Runtime(spawn(future, on_runtime));
                drop(place);
                // From now on the caller waits for what the runtime sends.
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
            Place::Polled { .. } => *place = Place::Polled { then_move: true },
            other => *place = other,
        }
    }
}

fn spawn<T: Send + 'static, C: OnRuntime<T>>(future: BoxFuture<T>, on_runtime: C) -> oneshot::Receiver<T> {
    let (sender, receiver) = oneshot::channel();
    match Handle::try_current() {
        Ok(runtime) => {
            if let Some(running) = on_runtime.run(future, sender) {
                runtime.spawn(running);
            }
        }
        Err(_) => tracing::debug!("an upstream call ends with its caller: there is no runtime"),
    }
    receiver
}

impl<T: Send + 'static, C: OnRuntime<T>> Future for Movable<T, C> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut place = self.0.place();
        match mem::replace(&mut *place, Place::Ended) {
            Place::Caller {
                mut future,
                on_runtime,
                waker,
            } => {
                // The future may itself cause the move, or panic: it is polled without the lock.
                *place = Place::Polled { then_move: false };
                drop(place);
                let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)));
                let mut place = self.0.place();
                let then_move = matches!(*place, Place::Polled { then_move: true });
                match polled {
                    Ok(Poll::Ready(output)) => {
                        *place = Place::Ended;
                        Poll::Ready(Some(output))
                    }
                    // On the runtime, too, a panic ends the future alone.
                    Err(_) => {
                        *place = Place::Ended;
                        Poll::Ready(None)
                    }
                    Ok(Poll::Pending) if then_move => {
                        let mut output = spawn(future, on_runtime);
                        let polled = Pin::new(&mut output).poll(cx);
                        *place = Place::Runtime(output);
                        polled.map(Result::ok)
                    }
                    Ok(Poll::Pending) => {
                        let waker = waker.filter(|waker| waker.will_wake(cx.waker()));
                        *place = Place::Caller {
                            future,
                            on_runtime,
                            waker: Some(waker.unwrap_or_else(|| cx.waker().clone())),
                        };
                        Poll::Pending
                    }
                }
            }
            Place::Runtime(mut output) => {
                let polled = Pin::new(&mut output).poll(cx);
                if polled.is_pending() {
                    *place = Place::Runtime(output);
                }
                polled.map(Result::ok)
            }
            Place::Polled { .. } | Place::Ended => panic!("`Movable` was polled after it had ended"),
        }
    }
}

impl<T: Send + 'static, C: OnRuntime<T>> Drop for Movable<T, C> {
    fn drop(&mut self) {
        let place = mem::replace(&mut *self.0.place(), Place::Ended);
        if let Place::Caller { future, on_runtime, .. } = place {
            drop(spawn(future, on_runtime));
        }
    }
}

/// A future that only moves when its caller drops it.
pub(crate) struct Outliving<T: Send + 'static, C: OnRuntime<T>>(Option<(BoxFuture<T>, C)>);

impl<T: Send + 'static, C: OnRuntime<T>> Outliving<T, C> {
    pub(crate) fn new(future: BoxFuture<T>, on_runtime: C) -> Self {
        Self(Some((future, on_runtime)))
    }
}

/// Nothing in it is pinned: the future has a box of its own.
impl<T: Send + 'static, C: OnRuntime<T>> Unpin for Outliving<T, C> {}

impl<T: Send + 'static, C: OnRuntime<T>> Future for Outliving<T, C> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        // A future that panics is not put back.
        let (mut future, on_runtime) = self.0.take().expect("`Outliving` was polled after it had ended");
        let polled = future.as_mut().poll(cx);
        if polled.is_pending() {
            self.0 = Some((future, on_runtime));
        }
        polled
    }
}

impl<T: Send + 'static, C: OnRuntime<T>> Drop for Outliving<T, C> {
    fn drop(&mut self) {
        if let Some((future, on_runtime)) = self.0.take() {
            drop(spawn(future, on_runtime));
        }
    }
}

#[cfg(test)]
mod tests;
