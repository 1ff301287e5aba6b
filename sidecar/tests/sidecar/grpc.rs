//! gRPC of every kind, handed on unmodified.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;
use tonic::client::Grpc;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic_health::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::caller::{Caller, Whole, post};
use crate::messages::{Codec, ask, path, text};
use crate::running::Running;
use crate::tonic_upstream;
use crate::upstream::{Upstream, begin, read};

async fn client(sidecar: &Running) -> Grpc<Channel> {
    let endpoint = Endpoint::new(format!("http://{}", sidecar.address())).unwrap();
    Grpc::new(endpoint.connect().await.unwrap())
}

/// A client of the same connection that a call can be made with.
async fn ready(client: &Grpc<Channel>) -> Grpc<Channel> {
    let mut client = client.clone();
    client.ready().await.unwrap();
    client
}

#[tokio::test]
async fn a_unary_call_with_its_metadata_and_deadline() {
    let (upstream, _) = tonic_upstream::serve().await;
    let sidecar = Running::before(upstream).await;
    let client = client(&sidecar).await;
    let mut request = ask("how are you?");
    let metadata = request.metadata_mut();
    metadata.insert("authorization", "Bearer example-key".parse().unwrap());
    metadata.append("many", "one".parse().unwrap());
    metadata.append("many", "two".parse().unwrap());
    metadata.insert_bin("raw-bin", MetadataValue::from_bytes(&[0, 1, 254, 255]));
    request.set_timeout(Duration::from_millis(54_321));
    let reply = ready(&client)
        .await
        .unary(request, path("Unary"), Codec::default())
        .await
        .unwrap();
    let metadata = reply.metadata();
    assert_eq!(metadata.get("authorization").unwrap(), "Bearer example-key");
    assert_eq!(metadata.get("many").unwrap(), "one|two");
    assert_eq!(metadata.get("grpc-timeout").unwrap(), "54321000u");
    assert!(
        metadata
            .get("user-agent")
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("tonic/")
    );
    assert_eq!(
        &*metadata.get_bin("raw-bin").unwrap().to_bytes().unwrap(),
        [0, 1, 254, 255]
    );
    assert_eq!(reply.get_ref(), &text("how are you?"));
}

#[tokio::test]
async fn an_error_with_its_message_details_and_metadata() {
    let (upstream, _) = tonic_upstream::serve().await;
    let sidecar = Running::before(upstream).await;
    let client = client(&sidecar).await;
    let error = ready(&client)
        .await
        .unary(ask("fail"), path("Unary"), Codec::default())
        .await
        .unwrap_err();
    assert_eq!(
        (error.code(), error.message()),
        (Code::FailedPrecondition, "not so: 100 %\n")
    );
    assert_eq!(error.details(), [0, 255, 7]);
    assert_eq!(error.metadata().get("why").unwrap(), "because");
    let error = ready(&client)
        .await
        .unary(ask(""), path("Nothing"), Codec::default())
        .await
        .unwrap_err();
    assert_eq!((error.code(), error.message()), (Code::Unimplemented, "no such method"));
}

#[tokio::test]
async fn streams_from_the_server_and_from_the_client() {
    let (upstream, _) = tonic_upstream::serve().await;
    let sidecar = Running::before(upstream).await;
    let client = client(&sidecar).await;

    let reply = ready(&client)
        .await
        .server_streaming(ask("1000"), path("Download"), Codec::default())
        .await;
    let mut texts = reply.unwrap().into_inner();
    for n in 0..1000 {
        assert_eq!(texts.message().await.unwrap(), Some(text(n.to_string())));
    }
    assert_eq!(texts.message().await.unwrap(), None);

    let megabyte = "m".repeat(1 << 20);
    let texts = tokio_stream::iter((0..12).map(move |_| text(&megabyte)));
    let request = tonic::Request::new(texts);
    let reply = ready(&client)
        .await
        .client_streaming(request, path("Upload"), Codec::default())
        .await
        .unwrap();
    assert_eq!(reply.get_ref(), &text("12 messages, 12582912 bytes"));
}

#[tokio::test]
async fn a_bidirectional_conversation() {
    let (upstream, _) = tonic_upstream::serve().await;
    let sidecar = Running::before(upstream).await;
    let client = client(&sidecar).await;
    let (say, said) = mpsc::channel(1);
    say.send(text("0")).await.unwrap();
    let request = tonic::Request::new(ReceiverStream::new(said));
    let reply = ready(&client)
        .await
        .streaming(request, path("Chat"), Codec::default())
        .await
        .unwrap();
    let mut answers = reply.into_inner();
    for n in 0..100 {
        assert_eq!(answers.message().await.unwrap(), Some(text(format!("you said {n}"))));
        say.send(text((n + 1).to_string())).await.unwrap();
    }
    say.send(text("fail")).await.unwrap();
    assert_eq!(answers.message().await.unwrap(), Some(text("you said 100")));
    let error = answers.message().await.unwrap_err();
    assert_eq!((error.code(), error.message()), (Code::DataLoss, "on request"));
}

#[tokio::test]
async fn health_and_its_watch() {
    let (upstream, reporter) = tonic_upstream::serve().await;
    let sidecar = Running::before(upstream).await;
    let endpoint = Endpoint::new(format!("http://{}", sidecar.address())).unwrap();
    let mut client = HealthClient::new(endpoint.connect_lazy());
    assert_eq!(client.check(ask("store")).await.unwrap().get_ref().status, 1);
    assert_eq!(client.check(ask("unknown")).await.unwrap_err().code(), Code::NotFound);
    let mut watched = client.watch(ask("store")).await.unwrap().into_inner();
    assert_eq!(watched.next().await.unwrap().unwrap().status, 1);
    reporter.set_service_status("store", ServingStatus::NotServing).await;
    assert_eq!(watched.next().await.unwrap().unwrap().status, 2);
}

/// Says which request came, and ends with trailers of all sorts.
async fn show(request: Request<h2::RecvStream>, reply: crate::upstream::Reply) {
    let (parts, body) = request.into_parts();
    let (body, trailers) = read(body).await.unwrap();
    let mut names: Vec<_> = parts.headers.keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    let shown = format!("{} {} {names:?} {body:?} {trailers:?}", parts.method, parts.uri);
    let mut stream = begin(reply);
    stream.send_data(shown.into(), false).unwrap();
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    trailers.insert("grpc-message", "".parse().unwrap());
    trailers.append("many", "one".parse().unwrap());
    trailers.append("many", "two".parse().unwrap());
    stream.send_trailers(trailers).unwrap();
}

#[tokio::test]
async fn malformed_messages_pass_unmodified() {
    let upstream = Upstream::new(show).await;
    let sidecar = Running::before(upstream.address).await;
    let caller = Caller::new(sidecar.address()).await;
    let reply = caller
        .call(post("Any?query=1"), &b"\x01\xff\xff\xff\xffcut"[..])
        .await
        .unwrap();
    let whole = Whole::of(reply).await.unwrap();
    let shown = std::str::from_utf8(&whole.body).unwrap();
    let uri = format!("POST http://{}/test.Raw/Any?query=1 ", upstream.address);
    assert!(shown.starts_with(&uri), "{shown}");
    assert!(shown.contains(r#"["content-type", "te"]"#), "nothing is added: {shown}");
    assert!(shown.contains(r#"b"\x01\xff\xff\xff\xffcut" None"#), "{shown}");
    let added: Vec<_> = whole.headers.keys().collect();
    assert_eq!(added, ["content-type"], "nothing is added");
    let trailers = whole.trailers.as_ref().unwrap();
    let many: Vec<_> = trailers.get_all("many").iter().collect();
    assert_eq!(
        (trailers.len(), &*many),
        (4, &["one", "two"].map(HeaderValue::from_static).each_ref()[..])
    );
    assert_eq!((whole.trailer("grpc-status"), whole.trailer("grpc-message")), ("0", ""));
}

#[tokio::test]
async fn a_request_without_a_body_and_one_with_trailers() {
    let upstream = Upstream::new(show).await;
    let sidecar = Running::before(upstream.address).await;
    let caller = Caller::new(sidecar.address()).await;
    let request = Request::get("http://caller.example/").body(()).unwrap();
    let whole = Whole::of(caller.call(request, "").await.unwrap()).await.unwrap();
    assert!(whole.body.starts_with(b"GET http://"), "{whole:?}");

    let (reply, mut stream) = caller.begin(post("Trailers")).await;
    stream.send_data(Bytes::from_static(b"body"), false).unwrap();
    let trailers = HeaderMap::from_iter([("last".parse().unwrap(), "words".parse().unwrap())]);
    stream.send_trailers(trailers).unwrap();
    let whole = Whole::of(reply.await.unwrap()).await.unwrap();
    assert!(whole.body.ends_with(br#"b"body" Some({"last": "words"})"#), "{whole:?}");
}

#[tokio::test]
async fn a_trailers_only_reply_stays_trailers_only() {
    let upstream = Upstream::new(async |_, mut reply: crate::upstream::Reply| {
        let response = Response::builder()
            .header("content-type", "application/grpc")
            .header("grpc-status", "9")
            .header("grpc-status-details-bin", "d".repeat(20_000));
        reply.send_response(response.body(()).unwrap(), true).unwrap();
    })
    .await;
    let sidecar = Running::before(upstream.address).await;
    let caller = Caller::new(sidecar.address()).await;
    let whole = Whole::of(caller.call(post("Any"), "").await.unwrap()).await.unwrap();
    assert_eq!(whole.status_alone(), "9");
    assert_eq!(whole.headers.len(), 3);
    assert_eq!(whole.headers["grpc-status-details-bin"].len(), 20_000);
}

#[tokio::test]
async fn unread_streams_do_not_block_the_others() {
    let upstream = Upstream::new(async |request: Request<h2::RecvStream>, reply| {
        let mut stream = begin(reply);
        if request.uri().path().ends_with("Quick") {
            stream.send_data(Bytes::from_static(b"quick"), true).unwrap();
            return;
        }
        // More than every window on the way.
        stream.send_data(vec![0; 8 << 20].into(), false).unwrap();
        std::future::poll_fn(|cx| stream.poll_reset(cx)).await.unwrap();
    })
    .await;
    let sidecar = Running::before(upstream.address).await;
    let mut unread = Vec::new();
    for _ in 0..100 {
        let caller = Caller::new(sidecar.address()).await;
        let reply = caller.call(post("Slow"), "").await.unwrap();
        unread.push((caller, reply));
    }
    let caller = Caller::new(sidecar.address()).await;
    let whole = Whole::of(caller.call(post("Quick"), "").await.unwrap()).await.unwrap();
    assert_eq!(whole.body, "quick");
}

#[tokio::test]
async fn a_thousand_calls_at_a_time_in_one_connection() {
    let (upstream, _) = tonic_upstream::serve().await;
    let sidecar = Running::before(upstream).await;
    let client = client(&sidecar).await;
    let mut open = Vec::new();
    for n in 0..1000 {
        let (say, said) = mpsc::channel(1);
        say.send(text(n.to_string())).await.unwrap();
        let request = tonic::Request::new(ReceiverStream::new(said));
        let reply = ready(&client)
            .await
            .streaming(request, path("Chat"), Codec::default())
            .await
            .unwrap();
        open.push((n, say, reply.into_inner()));
    }
    for (n, say, mut answers) in open {
        assert_eq!(answers.message().await.unwrap(), Some(text(format!("you said {n}"))));
        drop(say);
        assert_eq!(answers.message().await.unwrap(), None);
    }
}
