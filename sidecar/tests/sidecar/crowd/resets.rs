//! Callers that cancel.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::honest::Honest;
use super::server::Serves;
use super::{EMPTY, LONG, System, both_ways, post, rows};
use crate::caller::Caller;

/// More than HTTP/2's library forgives: 1,024 late frames come with some 230 of them.
const TIMES: usize = 300;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_cancelled_after_their_first_row() {
    both_ways(Serves::default(), async |system: System, address: SocketAddr| {
        let mut honest = Honest::new(system, address).await;
        let hasty = Caller::patient(address).await;
        for _ in 0..TIMES {
            let mut body = rows(&hasty, system, 20_000, 150).await.into_body();
            body.data().await.unwrap().unwrap();
        }
        for _ in 0..3 {
            honest.is_served().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unary_calls_cancelled_just_before_their_reply() {
    both_ways(Serves::default(), async |system: System, address: SocketAddr| {
        let mut honest = Honest::new(system, address).await;
        let hasty = Caller::patient(address).await;
        for batch in 0..TIMES / 50 {
            let mut calls = Vec::new();
            for n in 0..50 {
                let request = post(system.passing()).header("x-takes-ms", 5 + (n + batch) % 3);
                let (reply, mut stream) = hasty.begin(request.body(()).unwrap()).await;
                stream.send_data(EMPTY, true).unwrap();
                calls.push(reply);
            }
            sleep(Duration::from_millis(6)).await;
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
    both_ways(Serves::default(), async |system: System, address: SocketAddr| {
        let mut honest = Honest::new(system, address).await;
        let stranger = Caller::patient(address).await;
        for n in 0..TIMES {
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
    both_ways(Serves::default(), async |system: System, address: SocketAddr| {
        let mut honest = Honest::new(system, address).await;
        let hasty = Caller::patient(address).await;
        for _ in 0..50 {
            let mut calls = Vec::new();
            for _ in 0..100 {
                let request = post(system.rows()).header("x-rows", 2).header("x-row-size", 10);
                let (reply, mut stream) = hasty.begin(request.body(()).unwrap()).await;
                // The server may have replied already.
                let _ = stream.send_data(EMPTY, true);
                calls.push(reply);
            }
            for reply in calls {
                // Its rows are not read.
                reply.await.unwrap();
            }
        }
        honest.is_served().await;
    })
    .await;
}
