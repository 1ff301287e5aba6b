//! SpiceDB's API on the embedded store, and a channel to it with a cache.

use std::net::SocketAddr;
use std::time::Duration;

use http::{Request, Response};
use spicedb_examples::v1::permissions_service_client::PermissionsServiceClient;
use spicedb_examples::v1::permissions_service_server::PermissionsServiceServer;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic::transport::{Endpoint, Error, Server};
use tower::util::BoxCloneSyncService;
use tower::{Layer, ServiceExt};
use tower_zookie::ZookieLayer;
use tower_zookie::consistency::Staleness;
use tower_zookie::protocol::SpiceDb;
use tower_zookie::session::PropagateLayer;
use tower_zookie::store::{Schema, Store};

use crate::AnyError;
use crate::service::{ENGINE, Service};

const SCHEMA: &str = "
    definition user {}
    definition document { relation reader: user  permission read = reader }";

/// For how long callers without a token share an answer. So long that it does not end while the example runs.
const WINDOW: Duration = Duration::from_secs(60 * 60);

/// A client of the permissions.
pub(crate) type Client = PermissionsServiceClient<BoxCloneSyncService<Request<Body>, Response<Body>, Error>>;

/// Serves an empty store.
pub(crate) async fn serve() -> Result<SocketAddr, AnyError> {
    let service = PermissionsServiceServer::new(Service::new(Store::new(Schema::parse(SCHEMA)?)));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = Server::builder().add_service(service);
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    Ok(address)
}

/// A channel with a cache and, if tokens are to travel, with the layer that adds them to what goes out.
pub(crate) fn client(address: SocketAddr, with_layers: bool) -> Result<Client, AnyError> {
    let channel = Endpoint::from_shared(format!("http://{address}"))?.connect_lazy();
    let cache = ZookieLayer::builder(SpiceDb::new(ENGINE))
        .cache(|cache| cache.window(WINDOW, Staleness::percent(0)).time_to_live(WINDOW))
        .build()?;
    let cached = cache.layer(channel);
    let service = if with_layers {
        let propagating = PropagateLayer::new().layer(cached);
        BoxCloneSyncService::new(propagating.map_response(|reply| reply.map(Body::new)))
    } else {
        BoxCloneSyncService::new(cached.map_response(|reply| reply.map(Body::new)))
    };
    Ok(PermissionsServiceClient::new(service))
}
