//! A caller that cancels many calls at once, or gives them no time.

use std::net::SocketAddr;

use h2::Reason;
use tokio::time::timeout;

use super::server::{Server, Serves};
use super::{EMPTY, LONG, System, before, both_ways, call, post, status};
use crate::caller::Caller;

/// One more than HTTP/2's library takes by default.
const TOGETHER: usize = 21;

#[tokio::test]
async fn calls_cancelled_together_beside_a_watch() {
    both_ways(Serves::default(), async |system: System, address: SocketAddr| {
        let caller = Caller::patient(address).await;
        let request = post(system.watch()).body(()).unwrap();
        let mut watched = caller.call(request, EMPTY).await.unwrap().into_body();
        for round in 0..50 {
            for _ in 0..TOGETHER {
                let (request, body) = match round % 2 {
                    0 => system.check(),
                    _ => (post(system.passing()).body(()).unwrap(), EMPTY),
                };
                let (_reply, mut stream) = caller.begin(request).await;
                stream.send_data(body, true).unwrap();
                stream.send_reset(Reason::CANCEL);
            }
            let message = timeout(LONG, watched.data()).await.expect("a change");
            let message = message.expect("the watch goes on").expect("the watch goes on");
            watched.flow_control().release_capacity(message.len()).unwrap();
        }
        let (request, body) = system.check();
        assert_eq!(call(&caller, request, body).await.unwrap().grpc_status(), "0");
    })
    .await;
}

#[tokio::test]
async fn deadlines_of_no_time_are_exceeded() {
    both_ways(Serves::default(), async |system: System, address: SocketAddr| {
        let caller = Caller::patient(address).await;
        for deadline in ["0m", "1n", "100u", "1m", "2m"] {
            let mut calls = Vec::new();
            for n in 0..60 {
                let (mut request, body) = match n % 2 {
                    0 => system.check(),
                    _ => (post(system.passing()).body(()).unwrap(), EMPTY),
                };
                let headers = request.headers_mut();
                headers.insert("grpc-timeout", deadline.parse().unwrap());
                headers.insert("x-takes-ms", "50".parse().unwrap());
                // Each its own question, so that none is answered by another's call.
                headers.insert("authorization", format!("Bearer key-{deadline}-{n}").parse().unwrap());
                let caller = caller.clone();
                calls.push(tokio::spawn(async move { status(&caller, request, body).await }));
            }
            for status in calls {
                assert_eq!(status.await.unwrap(), "4", "{deadline} of {system:?} at {address}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn the_status_is_told_where_the_server_cancels_for_the_deadline() {
    let server = Server::new(System::SpiceDb, Serves::default()).await;
    let sidecar = before(System::SpiceDb, &server).await;
    let caller = Caller::patient(sidecar.address()).await;
    for path in [System::SpiceDb.passing(), "/unknown.Service/Method"] {
        let request = post(path).header("grpc-timeout", "5m").header("x-takes-ms", 1000);
        let whole = call(&caller, request.body(()).unwrap(), EMPTY).await.unwrap();
        assert_eq!(whole.status_alone(), "4");
    }
}
