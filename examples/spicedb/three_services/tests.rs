//! The services over real connections, with and without the layers of sessions.

use std::net::SocketAddr;

use crate::browser::{Browser, Keeps};
use crate::start;

/// What a client hears that asks, shares, and asks again.
async fn told(with_layers: bool, keeps: Keeps) -> [String; 3] {
    let front_end = start(SocketAddr::from(([127, 0, 0, 1], 0)), with_layers).await.unwrap();
    let mut browser = Browser::new(front_end, keeps);
    let before = browser.ask("GET", "/may-read/plan/ada").await.unwrap();
    let shared = browser.ask("POST", "/share/plan/ada").await.unwrap();
    let after = browser.ask("GET", "/may-read/plan/ada").await.unwrap();
    [before, shared, after]
}

#[tokio::test]
async fn rule_01_with_the_layers_a_client_reads_its_own_write() {
    for keeps in [Keeps::Cookie, Keeps::Header] {
        assert_eq!(told(true, keeps).await, ["no", "shared", "yes"], "{keeps}");
    }
}

#[tokio::test]
async fn without_the_layers_the_answer_is_from_before_the_write() {
    for keeps in [Keeps::Cookie, Keeps::Header] {
        assert_eq!(told(false, keeps).await, ["no", "shared", "no"], "{keeps}");
    }
}

#[tokio::test]
async fn another_client_keeps_the_shared_answer() {
    let front_end = start(SocketAddr::from(([127, 0, 0, 1], 0)), true).await.unwrap();
    let (mut one, mut other) = (
        Browser::new(front_end, Keeps::Cookie),
        Browser::new(front_end, Keeps::Header),
    );
    for browser in [&mut one, &mut other] {
        assert_eq!(browser.ask("GET", "/may-read/plan/ada").await.unwrap(), "no");
    }
    one.ask("POST", "/share/plan/ada").await.unwrap();
    // Nothing that one client brings is demanded of another one's answers.
    assert_eq!(other.ask("GET", "/may-read/plan/ada").await.unwrap(), "no");
    assert_eq!(one.ask("GET", "/may-read/plan/ada").await.unwrap(), "yes");
}
