//! Whether the upstreams answer.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::Empty;
use hyper_util::client::legacy::Client;
use tokio::time::timeout;
use tonic::Code;
use tonic::body::Body;
use tonic_health::ServingStatus;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::connect::Connector;
use super::speaks::Speaks;
use super::upstream::Upstream;

const WITHIN: Duration = Duration::from_secs(3);

/// Asks one upstream, over connections of its own.
#[derive(Clone, Debug)]
pub(super) enum Probe {
    /// For its health, as `grpc.health.v1` has it.
    Grpc(HealthClient<Client<Connector, Body>>),
    /// For anything that is no failure of its own.
    Http(Client<Connector, Empty<Bytes>>, Uri),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotReady {
    #[error("the upstream does not answer")]
    NoAnswer,
    #[error("the upstream did not answer in time")]
    NoAnswerInTime,
    #[error("the upstream says that it does not serve")]
    NotServing,
}

impl Probe {
    /// `health` is what an HTTP API is asked for.
    pub(super) fn of(upstream: &Upstream, health: &Uri) -> Self {
        let at = |path| upstream.origin.uri(path).unwrap_or_default();
        match upstream.speaks {
            Speaks::Grpc => Self::Grpc(HealthClient::with_origin(upstream.client(), at(&Uri::from_static("/")))),
            Speaks::Http => Self::Http(upstream.client(), at(health)),
        }
    }

    /// The API that it asks.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Grpc(_) => "gRPC",
            Self::Http(..) => "HTTP",
        }
    }

    pub(super) async fn ask(self) -> Result<(), NotReady> {
        let asked = timeout(WITHIN, async {
            match self {
                Self::Grpc(client) => health(client).await,
                Self::Http(client, uri) => answers(client, uri).await,
            }
        });
        asked.await.unwrap_or(Err(NotReady::NoAnswerInTime))
    }
}

async fn health(mut client: HealthClient<Client<Connector, Body>>) -> Result<(), NotReady> {
    match client.check(HealthCheckRequest::default()).await {
        Ok(reply) if reply.get_ref().status == ServingStatus::Serving as i32 => Ok(()),
        Ok(_) => Err(NotReady::NotServing),
        // It is there, and keeps its health to itself.
        Err(status)
            if matches!(
                status.code(),
                Code::Unimplemented | Code::NotFound | Code::Unauthenticated | Code::PermissionDenied
            ) =>
        {
            Ok(())
        }
        Err(_) => Err(NotReady::NoAnswer),
    }
}

async fn answers(client: Client<Connector, Empty<Bytes>>, uri: Uri) -> Result<(), NotReady> {
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = uri;
    match client.request(request).await {
        Ok(reply) if reply.status().is_server_error() => Err(NotReady::NotServing),
        Ok(_) => Ok(()),
        Err(_) => Err(NotReady::NoAnswer),
    }
}
