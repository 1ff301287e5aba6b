//! How the sidecar stops.

use std::future::poll_fn;

use bytes::Bytes;
use examples_common::told_to_stop;
use h2::{Reason, RecvStream};
use http::Request;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::admin::get;
use crate::caller::{Caller, Whole, post};
use crate::running::Running;
use crate::tls::{CERT, KEY};
use crate::upstream::{Reply, Upstream, begin, unimplemented};

/// Sends one piece of each reply, and the rest at a signal.
async fn in_two_pieces() -> (Upstream, mpsc::Sender<()>) {
    let (go_on, signal) = mpsc::channel::<()>(1);
    let signal = std::sync::Arc::new(tokio::sync::Mutex::new(signal));
    let upstream = Upstream::new(move |request: Request<RecvStream>, reply: Reply| {
        let signal = std::sync::Arc::clone(&signal);
        async move {
            if request.uri().path() == "/grpc.health.v1.Health/Check" {
                return unimplemented(reply);
            }
            let mut stream = begin(reply);
            stream.send_data(Bytes::from_static(b"one "), false).unwrap();
            signal.lock().await.recv().await;
            stream.send_data(Bytes::from_static(b"two"), true).unwrap();
        }
    });
    (upstream.await, go_on)
}

#[tokio::test]
async fn calls_in_progress_finish_and_new_ones_are_rejected() {
    let (upstream, go_on) = in_two_pieces().await;
    let mut sidecar = Running::before(upstream.address).await;
    let (address, admin) = (sidecar.address(), sidecar.admin);
    let caller = Caller::new(address).await;
    let idle = Caller::new(address).await;
    let reply = caller.call(post("Any"), "").await.unwrap();
    assert_eq!(get(admin, "/readyz").await.0, 200);

    sidecar.stop();
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        get(admin, "/readyz").await,
        (503, "the sidecar is stopping\n".to_owned())
    );
    assert_eq!(get(admin, "/healthz").await.0, 200);
    let rejected =
        |error: &h2::Error| error.is_go_away() || error.is_io() || error.reason() == Some(Reason::REFUSED_STREAM);
    // The goodbye may still be on its way.
    while let Ok(mut ready) = idle.ready().await {
        if ready.send_request(post("Any"), true).is_err() {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert!(idle.ready().await.is_err_and(|error| rejected(&error)));

    go_on.send(()).await.unwrap();
    assert_eq!(Whole::of(reply).await.unwrap().body, "one two");
    sidecar.ended().await;
    assert!(TcpStream::connect(admin).await.is_err());
}

#[tokio::test]
async fn a_stream_that_never_ends_is_cut_off() {
    let (upstream, _go_on) = in_two_pieces().await;
    let url = format!("http://{}", upstream.address);
    let mut sidecar = Running::with(&["--upstream", &url, "--drain", "50ms"]).await;
    let caller = Caller::new(sidecar.address()).await;
    let mut body = caller.call(post("Watch"), "").await.unwrap().into_body();
    assert_eq!(body.data().await.unwrap().unwrap(), "one ");
    sidecar.stop();
    sidecar.ended().await;
    assert!(body.data().await.unwrap().is_err());
}

#[tokio::test]
async fn idle_connections_do_not_delay_stopping() {
    let (upstream, _go_on) = in_two_pieces().await;
    let url = format!("http://{}", upstream.address);
    let arguments = ["--upstream", &url, "--http-upstream", &url, "--drain", "3600s"];
    let tls = ["--tls-cert", CERT, "--tls-key", KEY];
    for arguments in [&arguments[..], &[&arguments[..], &tls].concat()] {
        let mut sidecar = Running::with(arguments).await;
        let mut silent = Vec::new();
        for address in &sidecar.addresses {
            silent.push(TcpStream::connect(address).await.unwrap());
        }
        // Accepted in order, so that the silent ones were by then.
        if arguments.len() == 6 {
            Caller::new(sidecar.address()).await.ready().await.unwrap();
            assert_eq!(get(sidecar.addresses[1], "/").await.0, 502);
        }
        sidecar.stop();
        sidecar.ended().await;
    }
}

#[cfg(unix)]
#[tokio::test]
async fn sigterm_stops_the_sidecar() {
    let mut stopped = std::pin::pin!(told_to_stop());
    assert!(poll_fn(|cx| std::task::Poll::Ready(stopped.as_mut().poll(cx).is_pending())).await);
    let killed = tokio::process::Command::new("kill")
        .arg(std::process::id().to_string())
        .status()
        .await;
    assert!(killed.unwrap().success());
    stopped.await;
}
