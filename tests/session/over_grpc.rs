//! Sessions around a tonic server and a tonic channel, over a real connection.

use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::Request;
use tonic::transport::{Endpoint, Server};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tower::{Layer, ServiceBuilder};
use tower_zookie::session::{PropagateLayer, Session};
use tower_zookie::token::CounterTokens;

use super::support::builder;

#[tokio::test]
async fn tokens_travel_as_metadata_of_tonic() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (_, health) = tonic_health::server::health_reporter();
    // Before the reply is sent, the service learns of a write.
    let learning = tower::layer::layer_fn(|inner| {
        ServiceBuilder::new()
            .map_request(|request: http::Request<tonic::body::Body>| {
                Session::current().unwrap().absorb_written("9").unwrap();
                request
            })
            .service(inner)
    });
    let server = Server::builder()
        .layer(builder().build().unwrap())
        .layer(learning)
        .add_service(health);
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));

    let channel = Endpoint::from_shared(format!("http://{address}"))
        .unwrap()
        .connect_lazy();
    let mut client = HealthClient::new(PropagateLayer::new().layer(channel));
    let session = Session::new(CounterTokens::new("a"));
    session.absorb("7").unwrap();
    let check = client.check(Request::new(HealthCheckRequest::default()));
    let reply = session.scope(check).await.unwrap();
    assert_eq!(reply.metadata().get("zookie").unwrap(), "9");
    assert_eq!(session.tokens()[0].as_str(), "9");

    let mut unreadable = Request::new(HealthCheckRequest::default());
    unreadable.metadata_mut().insert("zookie", "x".parse().unwrap());
    let rejected = session.scope(client.check(unreadable)).await.unwrap_err();
    assert_eq!(rejected.code(), tonic::Code::InvalidArgument);
}
