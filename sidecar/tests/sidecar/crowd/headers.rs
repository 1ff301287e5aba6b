//! Large metadata and trailers.

use std::net::SocketAddr;

use super::server::Serves;
use super::{EMPTY, System, both_ways, call, post};
use crate::caller::Caller;

const KIB: usize = 1 << 10;

#[tokio::test]
async fn two_hundred_kib_of_metadata_and_of_trailers_pass() {
    both_ways(Serves::default(), async |system: System, address: SocketAddr| {
        let caller = Caller::patient(address).await;
        for size in [64 * KIB, 130 * KIB, 200 * KIB, 900 * KIB] {
            for (request, body) in [system.check(), (post(system.passing()).body(()).unwrap(), EMPTY)] {
                let mut request = request;
                request
                    .headers_mut()
                    .insert("x-large", "m".repeat(size).parse().unwrap());
                let whole = call(&caller, request, body).await.unwrap();
                assert_eq!(whole.grpc_status(), "0", "{size} of {system:?}");
            }
            for (request, body) in [system.check(), (post(system.passing()).body(()).unwrap(), EMPTY)] {
                let mut request = request;
                request.headers_mut().insert("x-trailer", size.into());
                let whole = call(&caller, request, body).await.unwrap();
                assert_eq!(whole.status_alone(), "9", "{size} of {system:?}");
                assert_eq!(whole.headers["grpc-status-details-bin"].len(), size);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn the_limit_of_headers_is_a_flag() {
    let server = super::server::Server::new(System::SpiceDb, Serves::default()).await;
    let url = format!("http://{}", server.address);
    let sidecar = crate::running::Running::with(&["--upstream", &url, "--max-headers", "64"]).await;
    let caller = Caller::patient(sidecar.address()).await;
    for (size, passes) in [(60 * KIB, true), (100 * KIB, false)] {
        let request = post(System::SpiceDb.passing()).header("x-large", "m".repeat(size));
        let whole = call(&caller, request.body(()).unwrap(), EMPTY).await;
        assert_eq!(whole.is_ok_and(|whole| whole.trailers.is_some()), passes, "{size}");
    }
}
