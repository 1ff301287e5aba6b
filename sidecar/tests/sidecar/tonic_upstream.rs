//! A real tonic server with calls of every kind.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_stream::{Stream, StreamExt};
use tonic::body::Body;
use tonic::server::{Grpc, NamedService};
use tonic::{Request, Response, Status, Streaming};
use tonic_health::pb::HealthCheckRequest as Text;
use tower::{Service, service_fn};

use crate::messages::{Codec, text};

type Texts = Pin<Box<dyn Stream<Item = Result<Text, Status>> + Send>>;

#[derive(Clone)]
struct Echo;

impl NamedService for Echo {
    const NAME: &'static str = "test.Echo";
}

impl Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let mut grpc = Grpc::new(Codec::default()).max_decoding_message_size(64 << 20);
        Box::pin(async move {
            let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
            Ok(match &*method {
                "Unary" => grpc.unary(service_fn(unary), request).await,
                "Download" => grpc.server_streaming(service_fn(download), request).await,
                "Upload" => grpc.client_streaming(service_fn(upload), request).await,
                "Chat" => grpc.streaming(service_fn(chat), request).await,
                _ => Status::unimplemented("no such method").into_http(),
            })
        })
    }
}

/// Says what it was asked, in what metadata.
async fn unary(request: Request<Text>) -> Result<Response<Text>, Status> {
    let question = &request.get_ref().service;
    if question == "fail" {
        let mut status = Status::with_details(
            tonic::Code::FailedPrecondition,
            "not so: 100 %\n",
            vec![0, 255, 7].into(),
        );
        status.metadata_mut().insert("why", "because".parse().unwrap());
        return Err(status);
    }
    let metadata = request.metadata();
    let said = |name: &str| {
        let values = metadata.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.collect::<Vec<_>>().join("|")
    };
    let mut reply = Response::new(text(question));
    for name in ["authorization", "grpc-timeout", "many", "user-agent"] {
        reply.metadata_mut().insert(name, said(name).parse().unwrap());
    }
    if let Some(bytes) = metadata.get_bin("raw-bin") {
        reply.metadata_mut().insert_bin("raw-bin", bytes.clone());
    }
    Ok(reply)
}

/// As many messages as the request says.
async fn download(request: Request<Text>) -> Result<Response<Texts>, Status> {
    let count: usize = request
        .get_ref()
        .service
        .parse()
        .map_err(|_| Status::invalid_argument("no number"))?;
    let texts = (0..count).map(|n| Ok(text(n.to_string())));
    Ok(Response::new(Box::pin(tokio_stream::iter(texts))))
}

/// How much came in how many messages.
async fn upload(request: Request<Streaming<Text>>) -> Result<Response<Text>, Status> {
    let mut texts = request.into_inner();
    let (mut count, mut bytes) = (0, 0);
    while let Some(text) = texts.message().await? {
        count += 1;
        bytes += text.service.len();
    }
    Ok(Response::new(text(format!("{count} messages, {bytes} bytes"))))
}

/// Answers each message before the next comes, and fails at the word.
async fn chat(request: Request<Streaming<Text>>) -> Result<Response<Texts>, Status> {
    let answers = request.into_inner().map(|said| match said {
        Ok(said) if said.service == "fail" => Err(Status::data_loss("on request")),
        Ok(said) => Ok(text(format!("you said {}", said.service))),
        Err(error) => Err(error),
    });
    Ok(Response::new(Box::pin(answers)))
}

/// Serves it, and `grpc.health.v1` with the service `store`.
pub(crate) async fn serve() -> (SocketAddr, tonic_health::server::HealthReporter) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter
        .set_service_status("store", tonic_health::ServingStatus::Serving)
        .await;
    let server = tonic::transport::Server::builder()
        .add_service(health)
        .add_service(Echo)
        .serve_with_incoming(TcpListenerStream::new(listener));
    tokio::spawn(server);
    (address, reporter)
}
