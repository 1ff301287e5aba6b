//! TLS on both sides.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Version};
use http_body_util::{BodyExt, Empty};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tower_zookie_sidecar::proxy::tls::{Trusted, client};

use crate::caller::{Caller, Whole, post};
use crate::running::Running;
use crate::tonic_upstream;

pub(crate) const CERT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sidecar/tls/cert.pem");
pub(crate) const KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sidecar/tls/key.pem");

const IDENTITY: [&str; 4] = ["--tls-cert", CERT, "--tls-key", KEY];

async fn connect(sidecar: &Running, protocol: &[u8]) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let mut config = client(Trusted::File(CERT.as_ref())).unwrap();
    config.alpn_protocols = vec![protocol.to_vec()];
    let tcp = TcpStream::connect(sidecar.address()).await.unwrap();
    let name = "localhost".try_into().unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, tcp).await
}

/// The status of a call that the upstream does not know.
async fn status(caller: &Caller) -> String {
    let whole = Whole::of(caller.call(post("Any"), "").await.unwrap()).await.unwrap();
    whole.status_alone().to_owned()
}

#[tokio::test]
async fn grpc_over_tls_from_the_caller_and_to_the_upstream() {
    let (upstream, _) = tonic_upstream::serve().await;
    let plain = format!("http://{upstream}");
    // One sidecar with TLS before another.
    let inner = Running::with(&[&["--upstream", &plain][..], &IDENTITY].concat()).await;
    let secure = format!("https://localhost:{}", inner.address().port());
    let trusting = ["--upstream", &secure, "--upstream-ca", CERT];
    let outer = Running::with(&[&trusting[..], &IDENTITY].concat()).await;
    let stream = connect(&outer, b"h2").await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    assert_eq!(status(&Caller::over(stream).await).await, "12");
}

#[tokio::test]
async fn an_upstream_that_is_not_trusted_is_unavailable() {
    let (upstream, _) = tonic_upstream::serve().await;
    let plain = format!("http://{upstream}");
    let inner = Running::with(&[&["--upstream", &plain][..], &IDENTITY].concat()).await;
    // The system does not know who signed it, and it is for another name.
    let port = inner.address().port();
    let (unknown, misnamed) = (format!("https://localhost:{port}"), format!("https://127.0.0.2:{port}"));
    for arguments in [
        &["--upstream", &*unknown][..],
        &["--upstream", &misnamed, "--upstream-ca", CERT],
    ] {
        let outer = Running::with(arguments).await;
        assert_eq!(status(&Caller::new(outer.address()).await).await, "14");
    }
}

#[tokio::test]
async fn the_handshake_chooses_the_http_version() {
    let (upstream, _) = tonic_upstream::serve().await;
    let plain = format!("http://{upstream}");
    let sidecar = Running::with(&[&["--http-upstream", &plain][..], &IDENTITY].concat()).await;
    let builder = || {
        let config = client(Trusted::File(CERT.as_ref())).unwrap();
        HttpsConnectorBuilder::new().with_tls_config(config).https_only()
    };
    let uri = format!("https://localhost:{}/", sidecar.address().port());
    for (connector, version) in [
        (builder().enable_http1().build(), Version::HTTP_11),
        (builder().enable_all_versions().build(), Version::HTTP_2),
    ] {
        let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
        let reply = client
            .request(Request::get(&*uri).body(Empty::new()).unwrap())
            .await
            .unwrap();
        assert_eq!(reply.version(), version);
        reply.into_body().collect().await.unwrap();
    }
}

#[tokio::test]
async fn a_caller_without_tls_or_grpc_fails_alone() {
    let (upstream, _) = tonic_upstream::serve().await;
    let plain = format!("http://{upstream}");
    let sidecar = Running::with(&[&["--upstream", &plain][..], &IDENTITY].concat()).await;
    let good = Caller::over(connect(&sidecar, b"h2").await.unwrap()).await;
    let mut tcp = TcpStream::connect(sidecar.address()).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut tcp, b"GET / HTTP/1.1\r\n\r\n")
        .await
        .unwrap();
    let mut alert = Vec::new();
    drop(tcp.read_to_end(&mut alert).await);
    assert!(!alert.starts_with(b"HTTP"));
    assert!(connect(&sidecar, b"http/1.1").await.is_err(), "it speaks only h2 there");
    assert_eq!(status(&good).await, "12");
}
