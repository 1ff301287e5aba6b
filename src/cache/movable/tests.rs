use std::future::{pending, poll_fn};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::task::Wake;

use tokio::sync::oneshot::error::TryRecvError;

use super::*;

/// Runs the future to its end, and counts it.
#[derive(Clone, Default)]
struct Goes(Arc<AtomicUsize>);

impl Goes {
    fn moved(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl<T: Send + 'static> OnRuntime<T> for Goes {
    fn run(self, future: BoxFuture<T>, caller: oneshot::Sender<T>) -> Option<BoxFuture<()>> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Some(Box::pin(async move { drop(caller.send(future.await)) }))
    }
}

/// Ends with its caller.
struct Stays;

impl<T: Send + 'static> OnRuntime<T> for Stays {
    fn run(self, _: BoxFuture<T>, _: oneshot::Sender<T>) -> Option<BoxFuture<()>> {
        None
    }
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Polls once with a waker that counts.
fn poll_once<F: Future + Unpin>(future: &mut F, woken: &Arc<Woken>) -> Poll<F::Output> {
    let waker = Waker::from(Arc::clone(woken));
    Pin::new(future).poll(&mut Context::from_waker(&waker))
}

async fn settle() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_future_that_is_polled_to_its_end_never_moves() {
    let goes = Goes::default();
    let movable = Movable::new(Box::pin(async { 7 }), goes.clone());
    assert_eq!(movable.await, Some(7));
    assert_eq!(goes.moved(), 0);
}

#[tokio::test]
async fn rule_07_a_caller_that_stops_polling_holds_nothing_up() {
    let (goes, woken) = (Goes::default(), Arc::default());
    let (sender, receiver) = oneshot::channel();
    let (ended, end) = mpsc::channel();
    let future = async move {
        let number: u32 = receiver.await.unwrap();
        ended.send(number).unwrap();
        number
    };
    let mut movable = Movable::new(Box::pin(future), goes.clone());
    assert!(poll_once(&mut movable, &woken).is_pending());
    let mover = movable.mover().upgrade().unwrap();
    mover.move_to_runtime();
    mover.move_to_runtime();
    assert_eq!(goes.moved(), 1, "it moves once");
    assert_eq!(
        woken.0.load(Ordering::Relaxed),
        1,
        "its caller has to wait for the runtime now"
    );
    sender.send(7).unwrap();
    settle().await;
    assert_eq!(end.try_recv(), Ok(7), "it ends although its caller does not poll");
    assert_eq!(movable.await, Some(7), "its caller gets the output");
}

#[tokio::test]
async fn rule_07_a_future_moves_before_its_first_poll() {
    let goes = Goes::default();
    let movable = Movable::new(Box::pin(async { 7 }), goes.clone());
    movable.0.move_to_runtime();
    settle().await;
    assert_eq!((movable.await, goes.moved()), (Some(7), 1));
}

#[tokio::test]
async fn rule_07_a_future_that_asks_to_move_moves_after_its_poll() {
    let (goes, woken) = (Goes::default(), Arc::default());
    let mover: Arc<Mutex<Option<Weak<dyn MoveToRuntime>>>> = Arc::default();
    let (sender, mut receiver) = oneshot::channel::<()>();
    let moves = Arc::clone(&mover);
    let future = poll_fn(move |cx| {
        if let Some(mover) = moves.lock().unwrap().take().and_then(|mover| mover.upgrade()) {
            mover.move_to_runtime();
        }
        Pin::new(&mut receiver).poll(cx)
    });
    let mut movable = Movable::new(Box::pin(future), goes.clone());
    *mover.lock().unwrap() = Some(movable.mover());
    assert!(poll_once(&mut movable, &woken).is_pending());
    assert_eq!(goes.moved(), 1);
    sender.send(()).unwrap();
    assert_eq!(movable.await, Some(Ok(())));
}

#[tokio::test]
async fn a_future_that_ends_in_the_poll_that_moves_it_stays() {
    let goes = Goes::default();
    let mover: Arc<Mutex<Option<Weak<dyn MoveToRuntime>>>> = Arc::default();
    let moves = Arc::clone(&mover);
    let future = async move {
        let mover = moves.lock().unwrap().take().and_then(|mover| mover.upgrade());
        mover.unwrap().move_to_runtime();
        7
    };
    let movable = Movable::new(Box::pin(future), goes.clone());
    *mover.lock().unwrap() = Some(movable.mover());
    assert_eq!((movable.await, goes.moved()), (Some(7), 0));
}

#[tokio::test]
async fn rule_07_a_caller_that_leaves_moves_its_future() {
    let (goes, woken) = (Goes::default(), Arc::default());
    let (sender, receiver) = oneshot::channel();
    let (ended, end) = mpsc::channel();
    let future = async move { ended.send(receiver.await).unwrap() };
    let mut movable = Movable::new(Box::pin(future), goes.clone());
    let mover = movable.mover();
    assert!(poll_once(&mut movable, &woken).is_pending());
    drop(movable);
    assert!(mover.upgrade().is_none() && goes.moved() == 1);
    sender.send(7).unwrap();
    settle().await;
    assert_eq!(end.try_recv(), Ok(Ok(7)));
}

#[tokio::test]
async fn a_future_that_may_not_move_ends_with_its_caller() {
    let (mut sender, receiver) = oneshot::channel::<()>();
    let mut movable = Movable::new(Box::pin(receiver), Stays);
    assert!(poll_once(&mut movable, &Arc::default()).is_pending());
    drop(movable);
    settle().await;
    assert!(sender.is_closed());
    let (outliving, mut receiver) = oneshot::channel::<()>();
    let mut future = Outliving::new(Box::pin(async move { drop((outliving, pending::<()>().await)) }), Stays);
    assert!(poll_once(&mut future, &Arc::default()).is_pending());
    drop(future);
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    let _ = sender.closed().await;
}

#[test]
fn without_a_runtime_a_future_ends_with_its_caller() {
    let (sender, receiver) = oneshot::channel::<()>();
    let mut movable = Movable::new(Box::pin(receiver), Goes::default());
    assert!(poll_once(&mut movable, &Arc::default()).is_pending());
    drop(movable);
    assert!(sender.is_closed());
}

#[tokio::test]
async fn rule_07_a_moved_future_that_ends_without_output_says_so() {
    let movable = Movable::new(Box::pin(pending::<u32>()), Stays);
    movable.0.move_to_runtime();
    assert_eq!(movable.await, None);
    let panics = async { panic!("as a test wants it to") };
    let movable = Movable::new(
        Box::pin(async move { if true { panics.await } else { 7 } }),
        Goes::default(),
    );
    movable.0.move_to_runtime();
    assert_eq!(movable.await, None);
}

#[tokio::test]
async fn rule_07_a_panic_in_a_poll_ends_the_future() {
    let held = Arc::new(());
    let weak = Arc::downgrade(&held);
    let future = async move {
        let _held = held;
        panic!("as a test wants it to")
    };
    let movable: Movable<(), _> = Movable::new(Box::pin(future), Goes::default());
    assert_eq!(movable.await, None);
    assert!(weak.upgrade().is_none());
}

#[tokio::test]
async fn an_outliving_future_moves_when_its_caller_leaves() {
    let (goes, woken) = (Goes::default(), Arc::default());
    assert_eq!(Outliving::new(Box::pin(async { 7 }), goes.clone()).await, 7);
    let (sender, receiver) = oneshot::channel();
    let (ended, end) = mpsc::channel();
    let future = async move { ended.send(receiver.await).unwrap() };
    let mut outliving = Outliving::new(Box::pin(future), goes.clone());
    assert!(poll_once(&mut outliving, &woken).is_pending());
    assert_eq!(goes.moved(), 0);
    drop(outliving);
    sender.send(7).unwrap();
    settle().await;
    assert_eq!((goes.moved(), end.try_recv()), (1, Ok(Ok(7))));
}
