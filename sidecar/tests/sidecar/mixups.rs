//! Ports that are mixed up: the log line, and the counter.

use std::net::SocketAddr;

use http::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower_zookie_testing::log::Log;
use tracing::Level;

use crate::caller::{Caller, post};
use crate::checks::stats;
use crate::running::Running;
use crate::tls::{CERT, KEY};
use crate::tonic_upstream;

const IDENTITY: [&str; 4] = ["--tls-cert", CERT, "--tls-key", KEY];

/// The line that was logged of this warning, which was counted.
async fn warned(sidecar: &Running, log: &Log, warning: &str) -> String {
    let counted = &stats(sidecar).await["warnings"];
    assert!(
        counted[warning].as_u64() >= Some(1),
        "{warning}: {counted} {:#?}",
        log.lines()
    );
    let found = log
        .lines()
        .into_iter()
        .find(|line| line.contains("--") && line.contains("WARN"));
    found.unwrap_or_else(|| panic!("{warning}: {:#?}", log.lines()))
}

/// Sends bytes, and waits until the connection is closed.
async fn say(address: SocketAddr, bytes: &[u8]) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    // It may be closed without having read all.
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

async fn fails(sidecar: &Running) {
    let caller = Caller::new(sidecar.address()).await;
    let reply = caller.call(post("Any"), "").await.unwrap();
    assert_eq!(reply.headers()["grpc-status"], "14");
}

/// A server that answers in one way whatever it is told.
async fn answering(answer: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = [0; 16];
            stream.read_exact(&mut asked).await.unwrap();
            stream.write_all(answer).await.unwrap();
            stream.shutdown().await.unwrap();
            // Until the other side has read it.
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    });
    address
}

#[tokio::test]
async fn rule_17_tls_spoken_to_a_plaintext_port_is_warned_of() {
    let log = Log::capture(Level::WARN);
    let (upstream, _) = tonic_upstream::serve().await;
    let sidecar = Running::before(upstream).await;
    say(sidecar.address(), b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03").await;
    let line = warned(&sidecar, &log, "tls_to_plaintext").await;
    assert!(line.contains("`--tls-cert` and `--tls-key`"), "{line}");
}

#[tokio::test]
async fn rule_17_plaintext_spoken_to_a_tls_port_is_warned_of() {
    let log = Log::capture(Level::WARN);
    let (upstream, _) = tonic_upstream::serve().await;
    let url = format!("http://{upstream}");
    let sidecar = Running::with(&[&["--upstream", &url][..], &IDENTITY].concat()).await;
    say(sidecar.address(), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    let line = warned(&sidecar, &log, "plaintext_to_tls").await;
    assert!(line.contains("leave out `--tls-cert`"), "{line}");
}

#[tokio::test]
async fn rule_17_an_upstream_without_tls_is_warned_of() {
    let log = Log::capture(Level::WARN);
    let (upstream, _) = tonic_upstream::serve().await;
    let url = format!("https://localhost:{}", upstream.port());
    let sidecar = Running::with(&["--upstream", &url, "--upstream-ca", CERT]).await;
    fails(&sidecar).await;
    let line = warned(&sidecar, &log, "tls_to_plaintext").await;
    assert!(line.contains("write `--upstream` with http://"), "{line}");
}

#[tokio::test]
async fn rule_17_an_upstream_that_wants_tls_is_warned_of() {
    for silent in [false, true] {
        let log = Log::capture(Level::WARN);
        let (upstream, _) = tonic_upstream::serve().await;
        let plain = format!("http://{upstream}");
        let secure = Running::with(&[&["--upstream", &plain][..], &IDENTITY].concat()).await;
        let alert = answering(b"\x15\x03\x03\x00\x02\x02\x46").await;
        let url = format!("http://{}", if silent { secure.address() } else { alert });
        let sidecar = Running::with(&["--upstream", &url]).await;
        fails(&sidecar).await;
        let counted = &stats(&sidecar).await["warnings"];
        assert!(counted["plaintext_to_tls"].as_u64() >= Some(1), "{counted}");
        let line = log
            .lines()
            .into_iter()
            .find(|line| line.contains("write `--upstream` with https://"));
        assert!(line.is_some(), "{:#?}", log.lines());
    }
}

#[tokio::test]
async fn rule_17_swapped_upstreams_are_warned_of() {
    let log = Log::capture(Level::WARN);
    let http = answering(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
    let sidecar = Running::before(http).await;
    fails(&sidecar).await;
    let line = warned(&sidecar, &log, "swapped_ports").await;
    assert!(line.contains("speaks HTTP/1.1, not gRPC: `--upstream`"), "{line}");
    drop(log);

    let log = Log::capture(Level::WARN);
    let (grpc, _) = tonic_upstream::serve().await;
    let sidecar = Running::before_http(grpc).await;
    say(
        sidecar.address(),
        b"GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n",
    )
    .await;
    let line = warned(&sidecar, &log, "swapped_ports").await;
    assert!(line.contains("does not speak HTTP/1.1: `--http-upstream`"), "{line}");
}

#[tokio::test]
async fn rule_17_callers_at_the_wrong_port_are_warned_of() {
    let (upstream, _) = tonic_upstream::serve().await;
    let log = Log::capture(Level::WARN);
    let sidecar = Running::before(upstream).await;
    let caller = Caller::new(sidecar.address()).await;
    let json = Request::post("http://h/v1/permissions/check").header("content-type", "application/json");
    caller.call(json.body(()).unwrap(), "{}").await.unwrap();
    let line = warned(&sidecar, &log, "swapped_ports").await;
    assert!(line.contains("HTTP is served on `--http-listen`"), "{line}");
    drop(log);

    let log = Log::capture(Level::WARN);
    let sidecar = Running::before_http(upstream).await;
    let caller = Caller::new(sidecar.address()).await;
    caller.call(post("Any"), "").await.unwrap();
    let line = warned(&sidecar, &log, "swapped_ports").await;
    assert!(line.contains("gRPC is served on `--listen`"), "{line}");
}
