//! Streams that their callers do not read.

use std::net::SocketAddr;

use super::honest::Honest;
use super::server::Serves;
use super::{System, both_ways, rows};
use crate::caller::Caller;

/// Opens streams of `size` bytes a row, a hundred in a connection, and reads nothing.
async fn unread(system: System, address: SocketAddr, streams: usize, size: usize) {
    let mut honest = Honest::new(system, address).await;
    let mut open = Vec::new();
    for n in 0..streams {
        if n % 100 == 0 {
            open.push((Caller::patient(address).await, Vec::new()));
            honest.is_served().await;
        }
        let (caller, unread) = open.last_mut().unwrap();
        unread.push(rows(caller, system, (8 << 20) / size, size).await);
    }
    honest.is_served().await;
    let reader = Caller::patient(address).await;
    let (count, size) = (3000, 100);
    let (read, _) = crate::upstream::read(rows(&reader, system, count, size).await.into_body())
        .await
        .unwrap();
    assert_eq!(read.len(), count * size, "another stream is read to its end");
    honest.is_served().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seven_hundred_unread_streams_stop_no_other_caller() {
    both_ways(Serves::default(), async |system: System, address: SocketAddr| {
        unread(system, address, 700, 64 << 10).await;
    })
    .await;
}

/// HTTP/2's library bounds how many small frames wait in a connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unread_streams_of_small_rows_stop_no_other_caller() {
    both_ways(Serves::default(), async |system: System, address: SocketAddr| {
        unread(system, address, 60, 40).await;
    })
    .await;
}
