//! Callers that cancel.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::honest::Honest;
use super::server::{Server, Serves};
use super::{EMPTY, LONG, System, before, both_ways, post, rows};
use crate::caller::Caller;

/// HTTP/2's library remembers 50 cancelled calls by default, and forgives 1,024 frames of those that it has forgotten.
const AT_A_TIME: usize = 100;
const ROUNDS: usize = 12;

/// What is on its way when a call is cancelled comes late.
const FAR: Serves = Serves {
    at_a_time: None,
    away: Duration::from_millis(5),
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_cancelled_after_their_first_row() {
    both_ways(FAR, async |system: System, address: SocketAddr| {
        let mut honest = Honest::new(system, address).await;
        let hasty = Caller::patient(address).await;
        for _ in 0..2 {
            let mut bodies = Vec::new();
            for _ in 0..AT_A_TIME {
                let hasty = hasty.clone();
                bodies.push(tokio::spawn(async move {
                    let mut body = rows(&hasty, system, 20_000, 150).await.into_body();
                    timeout(LONG, body.data()).await.expect("a row").unwrap().unwrap();
                    body
                }));
            }
            let mut begun = Vec::new();
            for body in bodies {
                begun.push(body.await.unwrap());
            }
            drop(begun);
        }
        for _ in 0..3 {
            honest.is_served().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unary_calls_cancelled_just_before_their_reply() {
    both_ways(FAR, async |system: System, address: SocketAddr| {
        let mut honest = Honest::new(system, address).await;
        let hasty = Caller::patient(address).await;
        for _ in 0..ROUNDS {
            let mut calls = Vec::new();
            for _ in 0..AT_A_TIME {
                let request = post(system.passing()).header("x-takes-ms", 5);
                let (reply, mut stream) = hasty.begin(request.body(()).unwrap()).await;
                stream.send_data(EMPTY, true).unwrap();
                calls.push(reply);
            }
            // The replies are half-way back.
            sleep(Duration::from_millis(8)).await;
            drop(calls);
        }
        for _ in 0..3 {
            honest.is_served().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_with_a_wrong_key() {
    both_ways(FAR, async |system: System, address: SocketAddr| {
        let mut honest = Honest::new(system, address).await;
        let stranger = Caller::patient(address).await;
        for n in 0..200 {
            let path = [system.rows(), system.passing(), system.watch()][n % 3];
            let mut request = post(path).body(()).unwrap();
            let wrong = "Bearer wrong".parse().unwrap();
            request.headers_mut().insert("authorization", wrong);
            let (reply, mut stream) = stranger.begin(request).await;
            // The refusal may come before the message, and the server want no more of it.
            let _ = stream.send_data(EMPTY, true);
            // Not all of them wait for it.
            if n % 2 == 0 {
                let refused = timeout(LONG, reply).await.expect("a reply").unwrap();
                assert_eq!(refused.headers()["grpc-status"], "16");
            }
        }
        for _ in 0..3 {
            honest.is_served().await;
        }
    })
    .await;
}

/// A connection that has cancelled as many calls as it remembers is replaced. Its watch goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_go_on_in_a_connection_that_is_replaced() {
    let system = System::SpiceDb;
    let server = Server::new(system, Serves::default()).await;
    let sidecar = before(system, &server).await;
    let mut honest = Honest::new(system, sidecar.address()).await;
    let hasty = Caller::patient(sidecar.address()).await;
    let connections = server.connections();
    for _ in 0..50 {
        let mut calls = Vec::new();
        for _ in 0..90 {
            let request = post(system.watch()).body(()).unwrap();
            let (reply, mut stream) = hasty.begin(request).await;
            stream.send_data(EMPTY, true).unwrap();
            calls.push(reply);
        }
        for reply in calls {
            timeout(LONG, reply).await.expect("a reply").unwrap();
        }
    }
    honest.is_served().await;
    assert!(server.connections() > connections, "it was replaced");
}
