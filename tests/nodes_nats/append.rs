//! Writing a node's log.

use tokio::time::timeout;
use tower_zookie::revision::VectorClock;
use tower_zookie::store::node::{Link, LinkError, NatsLink};
use tower_zookie_testing::nats::NatsServer;
use tower_zookie_testing::proxy::Proxy;

use crate::tools::{
    PATIENCE, append, at, clock, connect, entries, entry, numbers, open, raw_stream, read_all, sized, subjects, take,
};

/// Every entry of a node, as another process reads them.
async fn log(server: &NatsServer, node: &str) -> Vec<u64> {
    let link = connect(server).await;
    let mut opened = open(&link, "reader", &VectorClock::default()).await;
    numbers(&read_all(&mut opened).await, node)
}

pub(crate) async fn entries_reach_every_node_in_their_order() {
    let server = NatsServer::start();
    let (west, east) = (connect(&server).await, connect(&server).await);
    let nothing = VectorClock::default();
    let (mut in_west, mut in_east) = (open(&west, "west", &nothing).await, open(&east, "east", &nothing).await);
    assert_eq!((&in_west.ends, &in_east.ends), (&nothing, &nothing));
    append(&west, &entries("west", 1..=3)).await.unwrap();
    append(&east, &entries("east", 1..=2)).await.unwrap();
    append(&west, &entries("west", 4..=5)).await.unwrap();
    for opened in [&mut in_west, &mut in_east] {
        let taken = take(opened, 7).await;
        assert_eq!(numbers(&taken, "west"), [1, 2, 3, 4, 5]);
        assert_eq!(numbers(&taken, "east"), [1, 2]);
        assert!(taken.contains(&entry("east", 2)));
    }
    // A node that comes later.
    let mut later = open(&connect(&server).await, "south", &nothing).await;
    assert_eq!(later.ends, clock([("west", 5), ("east", 2)]));
    assert!(later.snapshot.is_none());
    assert_eq!(read_all(&mut later).await.len(), 7);
}

pub(crate) async fn entries_of_one_call_share_a_message() {
    let server = NatsServer::start();
    let link = connect(&server).await;
    append(&link, &entries("west", 1..=1000)).await.unwrap();
    assert_eq!(subjects(&server).await["log.west"], 1);
    assert_eq!(log(&server, "west").await, (1..=1000).collect::<Vec<_>>());
}

pub(crate) async fn what_does_not_fit_into_one_message_is_split() {
    let server = NatsServer::with_settings("max_payload: 65536");
    let link = connect(&server).await;
    let all: Vec<_> = (1..=300).map(|number| sized("west", number, 1000)).collect();
    append(&link, &all).await.unwrap();
    let count = subjects(&server).await["log.west"];
    assert!((6..20).contains(&count), "{count}");
    let mut opened = open(&link, "east", &VectorClock::default()).await;
    assert_eq!(read_all(&mut opened).await, all);
}

pub(crate) async fn an_entry_that_is_too_large_is_refused() {
    let server = NatsServer::start();
    let link = connect(&server).await;
    let error = link
        .append(&[entry("west", 1), sized("west", 2, 1 << 20), entry("west", 3)])
        .await;
    let error = error.unwrap_err();
    assert!(matches!(error, LinkError::TooLarge { number: 2, .. }), "{error:?}");
    // Nothing of the call was appended, and the log goes on. One below the limit can be written, and read.
    let large = sized("west", 2, (1 << 20) - (8 << 10));
    append(&link, &[entry("west", 1), large.clone()]).await.unwrap();
    let mut opened = open(&link, "east", &VectorClock::default()).await;
    assert_eq!(read_all(&mut opened).await, [entry("west", 1), large]);
}

pub(crate) async fn a_repeated_append_writes_nothing_twice() {
    let server = NatsServer::start();
    let link = connect(&server).await;
    append(&link, &entries("west", 1..=3)).await.unwrap();
    append(&link, &entries("west", 1..=3)).await.unwrap();
    append(&link, &entries("west", 2..=2)).await.unwrap();
    append(&link, &entries("west", 3..=5)).await.unwrap();
    // Another process that did not open the log.
    append(&connect(&server).await, &entries("west", 4..=6)).await.unwrap();
    assert_eq!(log(&server, "west").await, [1, 2, 3, 4, 5, 6]);
    let error = append(&link, &[sized("west", 3, 5)]).await.unwrap_err();
    assert!(matches!(error, LinkError::Taken), "another content: {error:?}");
    let error = connect(&server).await.append(&[entry("west", 9)]).await.unwrap_err();
    assert!(matches!(error, LinkError::Unavailable(_)), "a gap: {error:?}");
}

/// A process that reaches the server through a proxy, and has written entry 1.
async fn through_a_proxy(server: &NatsServer) -> (Proxy, NatsLink) {
    let proxy = Proxy::start(server.port()).await;
    let link = at(proxy.port()).connect().await.unwrap();
    open(&link, "west", &VectorClock::default()).await;
    append(&link, &entries("west", 1..=1)).await.unwrap();
    (proxy, link)
}

/// Appends entries 2 and 3 so that they are in the stream, and the reply is lost.
async fn lose_the_reply(server: &NatsServer, proxy: &Proxy, link: &NatsLink) {
    let mut stream = raw_stream(server).await;
    let before = stream.info().await.unwrap().state.last_sequence;
    proxy.withhold_replies();
    let appending = tokio::spawn({
        let link = link.clone();
        async move { link.append(&entries("west", 2..=3)).await }
    });
    while stream.info().await.unwrap().state.last_sequence == before {
        tokio::task::yield_now().await;
    }
    proxy.cut();
    let lost = timeout(PATIENCE, appending).await.expect("the append does not end");
    assert!(matches!(lost.unwrap(), Err(LinkError::Unavailable(_))));
}

pub(crate) async fn an_append_whose_reply_was_lost_is_recognised() {
    let server = NatsServer::start();
    let (proxy, link) = through_a_proxy(&server).await;
    lose_the_reply(&server, &proxy, &link).await;
    append(&link, &entries("west", 2..=3)).await.unwrap();
    append(&link, &entries("west", 4..=4)).await.unwrap();
    assert_eq!(log(&server, "west").await, [1, 2, 3, 4]);
    assert_eq!(
        subjects(&server).await["log.west"],
        4,
        "with the one that begins the log"
    );
}

pub(crate) async fn a_lost_reply_is_recognised_after_a_restart_of_the_server() {
    let mut server = NatsServer::start();
    let (proxy, link) = through_a_proxy(&server).await;
    lose_the_reply(&server, &proxy, &link).await;
    server.restart();
    // The logs are opened again first, as a node does whose connection was lost.
    let opened = async {
        loop {
            if let Ok(opened) = link.open("west", &clock([("west", 1)])).await {
                return opened;
            }
        }
    };
    let mut opened = timeout(PATIENCE, opened).await.expect("the logs are not opened again");
    assert_eq!(numbers(&take(&mut opened, 2).await, "west"), [2, 3]);
    append(&link, &entries("west", 2..=4)).await.unwrap();
    assert_eq!(log(&server, "west").await, [1, 2, 3, 4]);
}

pub(crate) async fn a_former_process_of_a_node_is_refused() {
    let server = NatsServer::start();
    let (former, new) = (connect(&server).await, connect(&server).await);
    let nothing = VectorClock::default();
    open(&former, "west", &nothing).await;
    append(&former, &entries("west", 1..=2)).await.unwrap();
    open(&new, "west", &nothing).await;
    for _ in 0..2 {
        let error = append(&former, &entries("west", 3..=3)).await.unwrap_err();
        assert!(matches!(error, LinkError::Taken), "{error:?}");
        let error = former.open("west", &nothing).await.unwrap_err();
        assert!(matches!(error, LinkError::Taken), "{error:?}");
    }
    append(&new, &entries("west", 3..=4)).await.unwrap();
    let error = append(&former, &[sized("west", 3, 1)]).await.unwrap_err();
    assert!(matches!(error, LinkError::Taken), "{error:?}");
    append(&new, &entries("west", 5..=5)).await.unwrap();
    assert_eq!(log(&server, "west").await, [1, 2, 3, 4, 5]);
    // Other nodes of the same process are not concerned.
    append(&former, &entries("east", 1..=1)).await.unwrap();
}

pub(crate) async fn of_two_processes_that_write_the_same_number_one_is_refused() {
    let server = NatsServer::start();
    let (one, other) = (connect(&server).await, connect(&server).await);
    append(&one, &entries("west", 1..=2)).await.unwrap();
    // Neither has opened the log, so neither takes it over.
    append(&other, &entries("west", 2..=2)).await.unwrap();
    let (a, b) = ([sized("west", 3, 1)], [sized("west", 3, 2)]);
    let (a, b) = tokio::join!(append(&one, &a), append(&other, &b));
    assert!(a.is_ok() != b.is_ok(), "{a:?} {b:?}");
    let refused = a.err().or(b.err());
    assert!(matches!(refused, Some(LinkError::Taken)), "{refused:?}");
    assert_eq!(log(&server, "west").await, [1, 2, 3]);
}

/// What a killed process has sent may arrive after its successor has read the log.
pub(crate) async fn what_a_former_process_still_sends_is_refused() {
    let server = NatsServer::start();
    let former = connect(&server).await;
    open(&former, "west", &VectorClock::default()).await;
    append(&former, &entries("west", 1..=1)).await.unwrap();
    let new = connect(&server).await;
    assert_eq!(
        open(&new, "west", &VectorClock::default()).await.ends,
        clock([("west", 1)])
    );
    let error = append(&former, &[sized("west", 2, 1)]).await.unwrap_err();
    assert!(matches!(error, LinkError::Taken), "{error:?}");
    append(&new, &[sized("west", 2, 2)]).await.unwrap();
}

pub(crate) async fn nodes_may_have_any_name() {
    let server = NatsServer::start();
    let link = connect(&server).await;
    let long = "é".repeat(200);
    let names = [
        "a.b",
        "*",
        ">",
        "a b",
        "naïve 節点 🦀",
        "a=2Eb",
        "%s%d",
        "\u{0}\r\n\"'\\/",
        "@",
        &long,
    ];
    for name in names {
        let mut opened = open(&link, name, &VectorClock::default()).await;
        append(&link, &entries(name, 1..=2)).await.unwrap();
        assert_eq!(numbers(&read_all_of(&mut opened, name).await, name), [1, 2]);
    }
    let mut opened = open(&link, "reader", &VectorClock::default()).await;
    assert_eq!(opened.ends, names.iter().map(|name| (*name, 2)).collect());
    let all = read_all(&mut opened).await;
    assert!(names.iter().all(|name| numbers(&all, name) == [1, 2]));
    let error = link.open(&"é".repeat(2000), &VectorClock::default()).await.unwrap_err();
    assert!(matches!(error, LinkError::Unavailable(_)), "{error:?}");
}

/// Reads until entry 2 of this node.
async fn read_all_of(
    opened: &mut tower_zookie::store::node::Opened,
    name: &str,
) -> Vec<tower_zookie::store::node::Entry> {
    let mut all = Vec::new();
    while numbers(&all, name).len() < 2 {
        all.extend(take(opened, 1).await);
    }
    all
}
