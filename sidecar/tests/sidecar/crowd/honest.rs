//! A caller that others must not disturb.

use std::net::SocketAddr;

use h2::RecvStream;
use tokio::time::{Instant, timeout};

use super::{EMPTY, LONG, System, call, post};
use crate::caller::Caller;

/// It follows a watch, and makes checks in another connection.
pub(super) struct Honest {
    system: System,
    caller: Caller,
    watched: RecvStream,
}

impl Honest {
    pub(super) async fn new(system: System, address: SocketAddr) -> Self {
        let watcher = Caller::patient(address).await;
        let request = post(system.watch()).body(()).unwrap();
        let watched = timeout(LONG, watcher.call(request, EMPTY)).await;
        let watched = watched.expect("a watch").unwrap().into_body();
        let caller = Caller::patient(address).await;
        let mut honest = Self {
            system,
            caller,
            watched,
        };
        honest.is_served().await;
        honest
    }

    /// Its watch goes on, and a check is answered.
    pub(super) async fn is_served(&mut self) {
        let begun = Instant::now();
        let message = timeout(LONG, self.watched.data()).await.expect("a change");
        let message = message.expect("the watch goes on").expect("the watch goes on");
        self.watched.flow_control().release_capacity(message.len()).unwrap();
        let (request, body) = self.system.check();
        let whole = call(&self.caller, request, body).await.expect("a check is answered");
        assert_eq!(whole.grpc_status(), "0", "{whole:?} after {:?}", begun.elapsed());
    }
}
