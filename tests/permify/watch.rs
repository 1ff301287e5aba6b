//! The change feed: which tokens it names, which it does not, and what happens when it breaks.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tokio::time::{Instant, sleep, timeout};
use tower_zookie::ZookieLayer;
use tower_zookie::protocol::permify::{Engine, Permify};
use tower_zookie_testing::grpc::Reply;
use tower_zookie_testing::permify::Client;

use crate::api::check;
use crate::server::Server;

/// Asked twice at exactly the token of a write that another client has just made.
async fn exactly(client: &Client, server: &Server) -> [Reply; 2] {
    let token = Client::direct(server).set("plan", "ada", true).await;
    sleep(Duration::from_millis(1)).await;
    let client = client.metadata("zookie-consistency", "at-exact-snapshot");
    let request = check("plan", "ada", &token);
    [client.check(&request).await, client.check(&request).await]
}

async fn watching(server: &Server, api: Permify) -> Client {
    let client = Client::with(server, api, |builder| builder);
    client.watch(server, "t1");
    sleep(Duration::from_millis(1)).await;
    client
}

#[tokio::test(start_paused = true)]
async fn rule_08_the_feed_names_writes_of_others() {
    let server = Server::new(Engine::Postgres);
    let unaware = Client::new(&server, Engine::Postgres);
    let watching = watching(&server, Permify::new(Engine::Postgres)).await;
    for (client, named) in [(unaware, false), (watching, true)] {
        let [first, second] = exactly(&client, &server).await;
        assert!(first.allowed() && second.allowed());
        assert_eq!((first.is_stored(), second.is_hit()), (named, named));
    }
}

#[tokio::test(start_paused = true)]
async fn rule_04_the_feed_opens_no_window() {
    let server = Server::new(Engine::Postgres);
    let api = Permify::new(Engine::Postgres).window_reads_without_token();
    let client = watching(&server, api).await;
    let token = Client::direct(&server).set("plan", "ada", true).await;
    sleep(Duration::from_millis(1)).await;
    server.calls();
    client.check(&check("plan", "ada", "")).await;
    for _ in 0..2 {
        let reply = client.check(&check("plan", "ada", &token)).await;
        assert!(!reply.is_stored() && !reply.is_hit(), "it is unknown how fresh that is");
    }
    assert_eq!(server.asked(), ["", &*token, &*token]);
}

#[tokio::test(start_paused = true)]
async fn the_feed_reopens_when_it_breaks() {
    let server = Server::new(Engine::Postgres);
    let client = watching(&server, Permify::new(Engine::Postgres)).await;
    assert!(exactly(&client, &server).await[1].is_hit());
    server.state().store.break_feeds();
    sleep(Duration::from_millis(1)).await;
    assert!(!exactly(&client, &server).await[1].is_hit());
    sleep(Duration::from_millis(600)).await;
    assert!(exactly(&client, &server).await[1].is_hit());
    let opened = server.calls().into_iter().filter(|call| call.method == "Watch/Watch");
    assert_eq!(opened.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn rule_15_the_feed_reopens_when_no_response_arrives() {
    let opened = Arc::new(Mutex::new(Vec::new()));
    let began = Instant::now();
    let log = Arc::clone(&opened);
    let silent = tower::service_fn(move |_: Request<Full<Bytes>>| {
        log.lock().unwrap().push(began.elapsed());
        std::future::pending::<Result<Response<Full<Bytes>>, Infallible>>()
    });
    let handle = ZookieLayer::permify(Engine::Postgres).handle();
    let feed = handle.feed(silent).unwrap().tenant("t1");
    assert!(timeout(Duration::from_secs(92), handle.follow(feed)).await.is_err());
    let seconds = [0, 30, 60, 90].map(Duration::from_secs);
    assert_eq!(*opened.lock().unwrap(), seconds, "an idle feed is no failure");
}
