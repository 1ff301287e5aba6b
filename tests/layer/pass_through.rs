//! The pass-through switch: every request is forwarded with its requirement stated, and nothing is stored.

use http::StatusCode;
use serde_json::json;
use tokio::task::yield_now;
use tower_zookie_testing::scripted::{Client, Upstream, z};

const BYPASS: &str = "tower-zookie; fwd=bypass; detail=\"pass-through is on\"";

fn switch(client: &Client, on: bool) {
    client.layer.handle().set_pass_through(on);
    let stats = client.layer.handle().stats();
    assert_eq!((client.layer.handle().is_pass_through(), stats.pass_through), (on, on));
    assert_eq!(stats.entries, 0);
}

#[tokio::test(start_paused = true)]
async fn rule_09_pass_through_forwards_and_stores_nothing() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    client.check("a").send().await;
    assert!(client.check("a").send().await.is_hit());
    switch(&client, true);
    let request = http::Request::get("/check?resource=a")
        .body(bytes::Bytes::new())
        .unwrap();
    let explained = client.layer.handle().explain(&request);
    assert_eq!(explained.would, "be forwarded: pass-through is on");
    for calls in 2..4 {
        let reply = client.check("a").send().await;
        assert_eq!((reply.cache_status(), reply.revision()), (BYPASS, 1));
        assert_eq!(upstream.calls(), calls);
    }
    upstream.grant("a");
    assert!(client.check("a").send().await.allowed());
    let bulk = client.bulk(&["a", "b", "a"], None).send().await;
    assert_eq!((bulk.cache_status(), bulk.revision()), (BYPASS, 2));
    assert_eq!(bulk.decisions(), [true, false, true]);
    assert_eq!(client.layer.handle().stats().entries, 0);
    switch(&client, false);
    assert!(client.check("a").send().await.outcome().ends_with("; stored"));
    assert!(client.check("a").send().await.is_hit());
}

#[tokio::test(start_paused = true)]
async fn rule_09_pass_through_states_the_requirement() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    upstream.grant("b");
    switch(&client, true);
    let stated = || {
        let last = upstream.last();
        (
            last.header("zookie").map(str::to_owned),
            last.header("zookie-consistency").map(str::to_owned),
        )
    };
    let some = |text: &str| Some(text.to_owned());
    client.check("a").send().await;
    assert_eq!(stated(), (None, None));
    client.check("a").zookie(2).send().await;
    assert_eq!(stated(), (some(&z(2)), some("at-least-as-fresh")));
    client.check("a").cookie(2).send().await;
    assert_eq!(
        stated().1,
        some("fully-consistent"),
        "the cookie may be of another store"
    );
    client
        .check("a")
        .zookie(1)
        .consistency("at-exact-snapshot")
        .send()
        .await;
    assert_eq!(stated(), (some(&z(1)), some("at-exact-snapshot")));
    client.check("a").consistency("fully-consistent").send().await;
    assert_eq!(stated(), (None, some("fully-consistent")));
    client.check("a").consistency("bounded-staleness=2s").send().await;
    assert_eq!(stated(), (None, some("bounded-staleness=2000ms")));
    client
        .post("/allow", &json!({ "resource": "b", "at": z(2) }))
        .send()
        .await;
    let body: serde_json::Value = serde_json::from_slice(&upstream.last().body).unwrap();
    assert_eq!(body["at"], z(2));
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_reply_below_the_token_is_an_error_in_pass_through() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    switch(&client, true);
    let at_head = |revision| client.check("a").zookie(revision).consistency("fully-consistent");
    assert_eq!(at_head(1).send().await.status, StatusCode::OK);
    let below = at_head(9).send().await;
    assert_eq!((below.status, upstream.calls()), (StatusCode::SERVICE_UNAVAILABLE, 2));
    let malformed = client.check("a").header("zookie", "?").send().await;
    assert_eq!((malformed.status, upstream.calls()), (StatusCode::BAD_REQUEST, 2));
}

#[tokio::test(start_paused = true)]
async fn answers_of_calls_under_way_at_the_switch_are_not_stored() {
    for back_before_the_reply in [false, true] {
        let upstream = Upstream::new();
        let client = Client::new(&upstream);
        upstream.hold();
        let asking = client.check("a").spawn();
        while upstream.calls() == 0 {
            yield_now().await;
        }
        switch(&client, true);
        if back_before_the_reply {
            switch(&client, false);
        }
        upstream.release();
        asking.await.unwrap().unwrap();
        assert_eq!(client.layer.handle().stats().entries, 0);
        switch(&client, false);
        assert!(!client.check("a").send().await.is_hit());
    }
}

#[tokio::test(start_paused = true)]
async fn writes_teach_while_requests_pass_through() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    switch(&client, true);
    let written = client.post("/relationships", &json!({ "grant": "a" })).send().await;
    assert_eq!((written.outcome(), written.revision()), ("fwd=method", 2));
    assert_eq!(client.layer.handle().newest_revision().unwrap().as_str(), z(2));
    switch(&client, false);
    let reply = client.check("a").zookie(2).send().await;
    assert!(reply.allowed());
    let asked = upstream.last();
    assert_eq!(
        asked.header("zookie-consistency"),
        Some("at-least-as-fresh"),
        "not at head"
    );
}
