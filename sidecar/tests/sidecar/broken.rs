//! Upstreams that are down, reset streams or lose connections, and callers that go away.

use std::future::poll_fn;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use h2::{Reason, RecvStream};
use http::{Request, StatusCode};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{mpsc, watch};

use crate::caller::{Caller, Whole, post};
use crate::running::Running;
use crate::upstream::{Reply, Upstream, begin};

/// An address that is taken, but where no process listens yet.
pub(crate) fn unreachable() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

async fn quick(_: Request<RecvStream>, reply: Reply) {
    begin(reply).send_data(Bytes::from_static(b"quick"), true).unwrap();
}

async fn ask(caller: &Caller) -> Whole {
    Whole::of(caller.call(post("Any"), "").await.unwrap()).await.unwrap()
}

#[tokio::test]
async fn rule_14_an_upstream_is_unavailable_until_it_is_back() {
    let (socket, address) = unreachable();
    let sidecar = Running::before(address).await;
    let caller = Caller::new(sidecar.address()).await;
    for _ in 0..3 {
        let whole = ask(&caller).await;
        assert_eq!(whole.status_alone(), "14");
        assert_eq!(whole.headers["grpc-message"], "the upstream can't be reached");
    }
    Upstream::on(socket.listen(16).unwrap(), quick);
    // It is left alone for a moment after it could not be reached.
    while ask(&caller).await.body != "quick" {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_stream_reset_before_the_reply_has_grpcs_status() {
    for (reason, status) in [
        (Reason::REFUSED_STREAM, "14"),
        (Reason::CANCEL, "1"),
        (Reason::ENHANCE_YOUR_CALM, "8"),
        (Reason::INADEQUATE_SECURITY, "7"),
        (Reason::INTERNAL_ERROR, "13"),
    ] {
        let upstream = Upstream::new(move |_, mut reply: Reply| async move { reply.send_reset(reason) }).await;
        let sidecar = Running::before(upstream.address).await;
        let caller = Caller::new(sidecar.address()).await;
        assert_eq!(ask(&caller).await.status_alone(), status, "{reason}");
    }
}

#[tokio::test]
async fn a_stream_reset_within_the_reply_is_reset_for_the_same_reason() {
    let (arrived, arrival) = watch::channel(false);
    let upstream = Upstream::new(move |_, reply| {
        let mut arrival = arrival.clone();
        async move {
            let mut stream = begin(reply);
            stream.send_data(Bytes::from_static(b"half"), false).unwrap();
            arrival.wait_for(|arrived| *arrived).await.unwrap();
            stream.send_reset(Reason::ENHANCE_YOUR_CALM);
        }
    })
    .await;
    let sidecar = Running::before(upstream.address).await;
    let caller = Caller::new(sidecar.address()).await;
    let mut body = caller.call(post("Any"), "").await.unwrap().into_body();
    assert_eq!(body.data().await.unwrap().unwrap(), "half");
    arrived.send(true).unwrap();
    let error = body.data().await.unwrap().unwrap_err();
    assert_eq!(error.reason(), Some(Reason::ENHANCE_YOUR_CALM));
    assert!(error.is_reset());
}

#[tokio::test]
async fn rule_14_a_connection_lost_in_a_grpc_reply_is_unavailable() {
    let upstream = Upstream::new(async |_, reply| {
        let mut stream = begin(reply);
        stream.send_data(Bytes::from_static(b"half"), false).unwrap();
        poll_fn(|cx| stream.poll_reset(cx)).await.ok();
    })
    .await;
    let sidecar = Running::before(upstream.address).await;
    let caller = Caller::new(sidecar.address()).await;
    let mut body = caller.call(post("Any"), "").await.unwrap().into_body();
    assert_eq!(body.data().await.unwrap().unwrap(), "half");
    upstream.lose_connections();
    assert!(body.data().await.is_none());
    let trailers = body.trailers().await.unwrap().unwrap();
    assert_eq!(trailers["grpc-status"], "14");
}

#[tokio::test]
async fn a_connection_lost_before_the_reply_is_not_retried() {
    let (asked, mut seen) = mpsc::unbounded_channel();
    let upstream = Upstream::new(move |_, reply| {
        let asked = asked.clone();
        async move {
            asked.send(()).unwrap();
            let _kept = reply;
            std::future::pending().await
        }
    })
    .await;
    let sidecar = Running::before(upstream.address).await;
    let caller = Caller::new(sidecar.address()).await;
    let (reply, _stream) = caller.begin(post("Any")).await;
    seen.recv().await.unwrap();
    upstream.lose_connections();
    let whole = Whole::of(reply.await.unwrap()).await.unwrap();
    assert_eq!(whole.status_alone(), "14");
    assert!(
        seen.try_recv().is_err(),
        "a call that may have been made is not made twice"
    );
}

#[tokio::test]
async fn an_upstream_that_leaves_finishes_its_calls_and_gets_no_more() {
    let calls = Arc::new(AtomicUsize::new(0));
    let (finish, finished) = mpsc::channel::<()>(1);
    let finished = Arc::new(tokio::sync::Mutex::new(finished));
    let counted = Arc::clone(&calls);
    let upstream = Upstream::new(move |_, reply| {
        let first = counted.fetch_add(1, Ordering::SeqCst) == 0;
        let finished = Arc::clone(&finished);
        async move {
            let mut stream = begin(reply);
            if first {
                finished.lock().await.recv().await;
            }
            stream.send_data(Bytes::from_static(b"whole"), true).unwrap();
        }
    })
    .await;
    let sidecar = Running::before(upstream.address).await;
    let caller = Caller::new(sidecar.address()).await;
    let first = caller.call(post("Any"), "").await.unwrap();
    upstream.leave();
    for _ in 0..100 {
        assert_eq!(ask(&caller).await.body, "whole");
    }
    finish.send(()).await.unwrap();
    assert_eq!(Whole::of(first).await.unwrap().body, "whole");
    assert_eq!(calls.load(Ordering::SeqCst), 101);
}

#[tokio::test]
async fn a_caller_that_goes_away_cancels_the_call_upstream() {
    let (report, mut reports) = mpsc::unbounded_channel();
    let upstream = Upstream::new(move |_, mut reply: Reply| {
        let report = report.clone();
        async move {
            report.send(None).unwrap();
            let reason = poll_fn(|cx| reply.poll_reset(cx)).await.unwrap();
            report.send(Some(reason)).unwrap();
        }
    })
    .await;
    let sidecar = Running::before(upstream.address).await;

    let caller = Caller::new(sidecar.address()).await;
    let (_reply, mut stream) = caller.begin(post("Any")).await;
    stream.send_data(Bytes::from_static(b"more is to come"), false).unwrap();
    assert_eq!(reports.recv().await, Some(None));
    stream.send_reset(Reason::CANCEL);
    assert_eq!(reports.recv().await, Some(Some(Reason::CANCEL)), "by a reset");

    let mut tcp = TcpStream::connect(sidecar.address()).await.unwrap();
    let (ours, mut theirs) = tokio::io::duplex(1 << 16);
    let wire = tokio::spawn(async move { tokio::io::copy_bidirectional(&mut tcp, &mut theirs).await });
    let caller = Caller::over(ours).await;
    let (_reply, _stream) = caller.begin(post("Any")).await;
    assert_eq!(reports.recv().await, Some(None));
    wire.abort();
    assert!(reports.recv().await.unwrap().is_some(), "by a lost connection");
}

#[tokio::test]
async fn a_caller_that_stops_reading_a_stream_cancels_it_upstream() {
    let (cancelled, mut reasons) = mpsc::unbounded_channel();
    let upstream = Upstream::new(move |_, reply| {
        let cancelled = cancelled.clone();
        async move {
            let mut stream = begin(reply);
            stream.send_data(Bytes::from_static(b"one"), false).unwrap();
            cancelled
                .send(poll_fn(|cx| stream.poll_reset(cx)).await.unwrap())
                .unwrap();
        }
    })
    .await;
    let sidecar = Running::before(upstream.address).await;
    let caller = Caller::new(sidecar.address()).await;
    let mut body = caller.call(post("Any"), "").await.unwrap().into_body();
    assert_eq!(body.data().await.unwrap().unwrap(), "one");
    drop(body);
    assert_eq!(reasons.recv().await, Some(Reason::CANCEL));
}

#[tokio::test]
async fn a_request_without_a_path_is_rejected() {
    let (_taken, address) = unreachable();
    let sidecar = Running::before(address).await;
    let caller = Caller::new(sidecar.address()).await;
    let request = Request::connect("caller.example:443").body(()).unwrap();
    let reply = caller.call(request, "").await.unwrap();
    assert_eq!(reply.status(), StatusCode::BAD_REQUEST);
}
