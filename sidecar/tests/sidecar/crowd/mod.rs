//! Callers that misbehave beside honest ones. Each test does the same through the sidecar and straight to the server, on
//! SpiceDB's and on Permify's port: what the server alone survives, it must survive behind the sidecar.

mod bursts;
mod empty;
mod full;
mod headers;
mod honest;
mod live;
mod resets;
mod server;
mod silent;
mod soak;
mod unread;

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use h2::{Reason, RecvStream};
use http::{Request, Response};
use tokio::time::timeout;
use tower_zookie_testing::wire::{Call, Recording};

use self::server::{Server, Serves};
use crate::caller::{Caller, Whole};
use crate::running::Running;

/// Far more than any call here takes on a slow machine.
const LONG: Duration = Duration::from_secs(20);

/// A system's API, as these tests use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum System {
    SpiceDb,
    Permify,
}

const SYSTEMS: [System; 2] = [System::SpiceDb, System::Permify];

impl System {
    fn name(self) -> &'static str {
        match self {
            Self::SpiceDb => "spicedb",
            Self::Permify => "permify",
        }
    }

    /// A check that is never answered from memory, and its reply.
    fn check(self) -> (Request<()>, Bytes) {
        let call = self.recorded();
        let (mut parts, body) = call.request.clone().into_parts();
        parts.headers.remove("grpc-timeout");
        (Request::from_parts(parts, ()), body)
    }

    fn recorded(self) -> &'static Call {
        static CALLS: LazyLock<[Arc<Call>; 2]> = LazyLock::new(|| {
            [
                Recording::load("spicedb/grpc-postgres").call("check-has").clone(),
                Recording::load("permify/grpc-postgres").call("check-head").clone(),
            ]
        });
        match self {
            Self::SpiceDb => &CALLS[0],
            Self::Permify => &CALLS[1],
        }
    }

    /// A unary method that only passes.
    fn passing(self) -> &'static str {
        match self {
            Self::SpiceDb => "/authzed.api.v1.SchemaService/ReadSchema",
            Self::Permify => "/base.v1.Tenancy/List",
        }
    }

    /// A method that streams rows.
    fn rows(self) -> &'static str {
        match self {
            Self::SpiceDb => "/authzed.api.v1.PermissionsService/ReadRelationships",
            Self::Permify => "/base.v1.Permission/LookupEntityStream",
        }
    }

    fn watch(self) -> &'static str {
        match self {
            Self::SpiceDb => "/authzed.api.v1.WatchService/Watch",
            Self::Permify => "/base.v1.Watch/Watch",
        }
    }
}

/// Does the same straight to a server and through a sidecar before it.
async fn both_ways(serves: Serves, scenario: impl AsyncFn(System, SocketAddr)) {
    for system in SYSTEMS {
        let server = Server::new(system, serves).await;
        eprintln!("straight to {system:?} at {}", server.address);
        scenario(system, server.address).await;
        eprintln!("through the sidecar");
        let sidecar = before(system, &server).await;
        scenario(system, sidecar.address()).await;
    }
}

async fn before(system: System, server: &Server) -> Running {
    let url = format!("http://{}", server.address);
    Running::with(&["--system", system.name(), "--upstream", &url]).await
}

fn post(path: &str) -> http::request::Builder {
    Request::post(format!("http://caller.example{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("authorization", "Bearer example-key")
}

/// A message without a field.
const EMPTY: Bytes = Bytes::from_static(&[0; 5]);

async fn call(caller: &Caller, request: Request<()>, body: Bytes) -> Result<Whole, h2::Error> {
    let asked = format!("{request:?}");
    let reply = caller.call(request, body);
    let whole = timeout(LONG, async { Whole::of(reply.await?).await }).await;
    whole.unwrap_or_else(|_| panic!("no reply to {asked}"))
}

/// The status of a call with a deadline. As for gRPC's clients, a stream that the server cancels is over its deadline.
async fn status(caller: &Caller, request: Request<()>, body: Bytes) -> String {
    match call(caller, request, body).await {
        Ok(whole) => whole.grpc_status().to_owned(),
        Err(error) if error.is_reset() && error.is_remote() && error.reason() == Some(Reason::CANCEL) => "4".to_owned(),
        Err(error) => panic!("{error:?}"),
    }
}

/// Begins a stream of rows.
async fn rows(caller: &Caller, system: System, rows: usize, size: usize) -> Response<RecvStream> {
    let request = post(system.rows()).header("x-rows", rows).header("x-row-size", size);
    let reply = caller.call(request.body(()).unwrap(), EMPTY);
    timeout(LONG, reply).await.expect("a reply").unwrap()
}
