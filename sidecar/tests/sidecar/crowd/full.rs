//! An upstream that takes few calls at a time.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::task::JoinSet;

use super::server::{Server, Serves};
use super::{EMPTY, System, both_ways, call, post};
use crate::caller::{Caller, Whole};
use crate::running::Running;

const TEN: Serves = Serves {
    at_a_time: Some(10),
    away: Duration::ZERO,
};

/// Ten calls of each of these callers, which is what the server takes in one connection.
async fn at_once(system: System, address: SocketAddr, callers: usize) -> JoinSet<Whole> {
    let mut calls = JoinSet::new();
    for _ in 0..callers {
        let caller = Caller::patient(address).await;
        for n in 0..10 {
            let request = match n % 2 {
                0 => post(system.passing()).header("x-takes-ms", 20),
                _ => post(system.rows()).header("x-rows", 1).header("x-row-size", 50_000),
            };
            let caller = caller.clone();
            calls.spawn(async move { call(&caller, request.body(()).unwrap(), EMPTY).await.unwrap() });
        }
    }
    calls
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upstream_of_ten_streams_a_connection_serves_three_hundred() {
    both_ways(TEN, async |system: System, address: SocketAddr| {
        // Streams that never end take as many as the server lets them.
        let mut open = Vec::new();
        for _ in 0..10 {
            let watcher = Caller::patient(address).await;
            for _ in 0..10 {
                let request = post(system.watch()).body(()).unwrap();
                open.push(watcher.call(request, EMPTY).await.unwrap());
            }
        }
        for whole in at_once(system, address, 30).await.join_all().await {
            assert_eq!(whole.grpc_status(), "0");
        }
    })
    .await;
}

#[tokio::test]
async fn calls_wait_for_room_where_all_connections_are_full() {
    let server = Server::new(System::SpiceDb, TEN).await;
    let url = format!("http://{}", server.address);
    let sidecar = Running::with(&["--upstream", &url, "--max-upstream-connections", "1"]).await;
    // So few that the last one is served long before it would be refused, on a slow machine too.
    for whole in at_once(System::SpiceDb, sidecar.address(), 5).await.join_all().await {
        assert_eq!(whole.grpc_status(), "0");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_finds_no_room_in_time_is_told_so() {
    let server = Server::new(System::SpiceDb, TEN).await;
    let url = format!("http://{}", server.address);
    let sidecar = Running::with(&["--upstream", &url, "--max-upstream-connections", "1"]).await;
    let caller = Caller::patient(sidecar.address()).await;
    let watch = || post(System::SpiceDb.watch()).body(()).unwrap();
    let mut open = Vec::new();
    for _ in 0..10 {
        open.push(caller.call(watch(), EMPTY).await.unwrap());
    }
    let refused = Whole::of(caller.call(watch(), EMPTY).await.unwrap()).await.unwrap();
    assert_eq!(refused.status_alone(), "14");
    assert!(
        refused.headers["grpc-message"]
            .to_str()
            .unwrap()
            .contains("--max-upstream-connections")
    );
    let request = post(System::SpiceDb.passing()).body(()).unwrap();
    let unary = call(&caller, request, EMPTY).await.unwrap();
    assert_eq!(unary.grpc_status(), "0", "unary calls have connections of their own");
}
