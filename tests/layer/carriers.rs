//! Where zookies travel, and what happens with a bad one.

use http::StatusCode;
use serde_json::json;
use tower_zookie::token::RevisionToken;
use tower_zookie_testing::scripted::{Client, Upstream, z};

#[tokio::test(start_paused = true)]
async fn the_plus_sign_of_a_query_token_may_be_escaped_or_not() {
    let upstream = Upstream::new();
    let node = "n>>>?>>";
    upstream.become_store(node);
    let client = Client::new(&upstream);
    client.check("a").send().await;
    let revision = upstream.grant("a");
    let token = RevisionToken::new(node, revision).encode();
    assert!(token.contains('+'), "{token}");
    let reply = client.get(&format!("/check?resource=a&token={token}")).send().await;
    assert_eq!((reply.allowed(), reply.revision()), (true, revision));
    let escaped = token.replace('+', "%2B").replace('=', "%3D");
    assert!(
        client
            .get(&format!("/check?zookie={escaped}&resource=a"))
            .send()
            .await
            .is_hit()
    );
}

#[tokio::test(start_paused = true)]
async fn rule_01_each_carrier_alone_raises_the_floor() {
    for nth in 0..4 {
        let upstream = Upstream::new();
        let client = Client::new(&upstream);
        client.check("a").send().await;
        let revision = upstream.grant("a");
        let token = z(revision).replace('=', "%3D").replace('+', "%2B");
        let request = match nth {
            0 => client.check("a").zookie(revision),
            1 => client.check("a").cookie(revision),
            2 => client.get(&format!("/check?resource=a&zookie={token}")),
            _ => client.get(&format!("/check?resource=a&token={}", z(revision))),
        };
        let reply = request.send().await;
        assert_eq!(
            (reply.allowed(), reply.outcome()),
            (true, "fwd=stale; stored"),
            "carrier {nth}"
        );
        assert_eq!(
            upstream.last().uri,
            "/check?resource=a",
            "no carrier is left in the forwarded query"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn rule_01_several_carriers_join_to_the_strongest_floor() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    client.check("a").send().await;
    upstream.grant("a");
    upstream.revoke("a");
    upstream.grant("a");
    client.check("other").send().await;
    let token = z(3).replace('=', "%3D");
    for (header, cookie, query) in [(4, 2, &z(1)), (1, 4, &token), (2, 1, &z(4))] {
        let reply = client
            .get(&format!("/check?resource=a&token={query}"))
            .zookie(header)
            .cookie(cookie)
            .send()
            .await;
        assert!(reply.allowed() && reply.revision() >= 4);
    }
    let seen = upstream.seen()[2].clone();
    assert_eq!(seen.header("zookie"), Some(&*z(4)));
    assert_eq!(upstream.calls(), 3, "the two others are hits at revision 4");
}

#[tokio::test(start_paused = true)]
async fn rule_09_a_bad_explicit_token_is_rejected_with_advice() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    let long = "a".repeat(5000);
    for (request, name) in [
        (client.check("a").header("zookie", "!"), "zookie-malformed"),
        (client.check("a").header("zookie", ""), "zookie-malformed"),
        (client.check("a").header("zookie", &long), "zookie-too-long"),
        (client.get("/check?resource=a&zookie=%20"), "zookie-malformed"),
        (client.get("/check?resource=a&token=x"), "zookie-malformed"),
    ] {
        let reply = request.send().await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST);
        assert_eq!(reply.header("content-type"), Some("application/problem+json"));
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        let problem = reply.json();
        assert_eq!(problem["type"], format!("urn:tower-zookie:{name}"));
        assert!(problem["detail"].as_str().unwrap().contains("send"), "{problem}");
        assert!(reply.cache_status().contains("rejected"), "{}", reply.cache_status());
    }
    assert_eq!(upstream.calls(), 0);
    assert_eq!(client.layer.handle().stats().rejected, 5);
}

#[tokio::test(start_paused = true)]
async fn rule_15_nine_tokens_are_rejected() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    let reply = client.check("a").header("zookie", &[&*z(1); 9].join(",")).send().await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    assert_eq!(upstream.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn rule_09_a_bad_cookie_reads_head_and_is_replaced() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    client.check("a").send().await;
    upstream.grant("a");
    for cookie in ["zookie=rubbish", "zookie=", "zookie=%FF"] {
        let reply = client.check("a").header("cookie", cookie).send().await;
        assert_eq!(upstream.last().header("zookie-consistency"), Some("fully-consistent"));
        assert_eq!((reply.allowed(), reply.set_cookie()), (true, Some(2)), "{cookie}");
        assert!(reply.outcome().starts_with("fwd=request"), "{}", reply.outcome());
    }
}

#[tokio::test(start_paused = true)]
async fn rule_09_a_foreign_cookie_reads_head_and_is_replaced() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    let foreign = RevisionToken::new("another", 9).encode();
    let cookie = format!("zookie={foreign}");
    // The second request arrives while no other probe may begin.
    for name in ["a", "b", "a"] {
        let reply = client.check(name).header("cookie", &cookie).send().await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
        assert_eq!((reply.revision(), reply.set_cookie()), (1, Some(1)));
    }
}

#[tokio::test(start_paused = true)]
async fn rule_09_a_foreign_explicit_token_is_rejected() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    client.check("a").send().await;
    let foreign = RevisionToken::new("another", 9).encode();
    for consistency in ["at-least-as-fresh", "fully-consistent", "bounded-staleness=1s"] {
        let reply = client
            .check("a")
            .header("zookie", &foreign)
            .consistency(consistency)
            .send()
            .await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{consistency}: {reply:?}");
        tokio::time::advance(std::time::Duration::from_millis(200)).await;
    }
    let mut request = client.check("a").header("zookie", &foreign).zookie(1);
    request = request.header("cookie", "other=1");
    let reply = request.send().await;
    assert_eq!(reply.json()["type"], "urn:tower-zookie:zookies-do-not-join");
    assert!(client.check("a").send().await.is_hit(), "the forgery emptied nothing");
}

#[tokio::test(start_paused = true)]
async fn an_explicit_token_overrides_a_foreign_cookie() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    client.check("a").send().await;
    let revision = upstream.grant("a");
    let foreign = RevisionToken::new("another", 9).encode();
    let token = z(revision);
    let reply = client
        .get(&format!("/check?resource=a&token={token}"))
        .header("cookie", &format!("zookie={foreign}"))
        .send()
        .await;
    assert_eq!(
        (reply.allowed(), reply.revision(), reply.set_cookie()),
        (true, 2, Some(2))
    );
}

#[tokio::test(start_paused = true)]
async fn rule_09_bad_tokens_are_forwarded_where_a_setting_says_so() {
    let upstream = Upstream::new();
    let client = Client::with(&upstream, |builder| builder.forward_bad_tokens(true));
    let reply = client.get("/check?resource=a&token=rubbish").send().await;
    assert_eq!(reply.outcome(), "fwd=bypass");
    assert_eq!(upstream.last().uri, "/check?resource=a&token=rubbish");
    assert_eq!(client.layer.handle().stats().entries, 0);
}

#[tokio::test(start_paused = true)]
async fn rule_09_a_token_can_be_required() {
    let upstream = Upstream::new();
    let client = Client::with(&upstream, |builder| builder.require_token(true));
    let reply = client.check("a").send().await;
    assert_eq!(reply.json()["type"], "urn:tower-zookie:zookie-required");
    assert_eq!(
        client.check("a").consistency("fully-consistent").send().await.status,
        StatusCode::OK
    );
    assert_eq!(client.check("a").zookie(1).send().await.status, StatusCode::OK);
    assert_eq!(client.check("a").cookie(1).send().await.status, StatusCode::OK);
    let message = json!({ "resource": "a", "at": z(1) });
    assert_eq!(client.post("/allow", &message).send().await.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn rule_09_a_bad_token_in_the_message_is_forwarded() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    let ask = |at: &str| client.post("/allow", &json!({ "resource": "a", "at": at }));
    assert!(
        !client
            .post("/allow", &json!({ "resource": "a" }))
            .send()
            .await
            .allowed()
    );
    let revision = upstream.grant("a");
    let reply = ask(&z(revision)).send().await;
    assert_eq!((reply.allowed(), reply.outcome()), (true, "fwd=stale; stored"));
    assert!(ask(&z(1)).send().await.is_hit(), "the token is not in the key");
    let reply = ask("rubbish").send().await;
    assert_eq!(reply.outcome(), "fwd=bypass");
    assert_eq!(
        upstream.last().body,
        json!({ "resource": "a", "at": "rubbish" }).to_string()
    );
}

#[tokio::test(start_paused = true)]
async fn rule_06_reads_set_no_cookie_and_writes_set_the_join() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    for _ in 0..2 {
        let reply = client.check("a").send().await;
        assert_eq!(reply.header("set-cookie"), None);
    }
    let revision = upstream.grant("b");
    let reply = client.check("b").zookie(revision).send().await;
    assert_eq!(reply.header("set-cookie"), None);
    let reply = client.check("a").cookie(1).send().await;
    assert!(reply.is_hit());
    assert_eq!(reply.header("set-cookie"), None, "parallel reads would take it back");
    let reply = client.check("a").cookie(revision).send().await;
    assert_eq!(reply.header("set-cookie"), None);
    let reply = client
        .check("a")
        .cookie(2)
        .zookie(1)
        .consistency("at-exact-snapshot")
        .send()
        .await;
    assert_eq!((reply.revision(), reply.header("set-cookie")), (1, None));
    let written = client.post("/relationships", &json!({ "grant": "c" })).send().await;
    assert_eq!(written.set_cookie(), Some(3));
    let write = client.post("/relationships", &json!({ "grant": "d" }));
    let written = write.cookie(9).send().await;
    assert_eq!(
        (written.revision(), written.set_cookie()),
        (4, Some(9)),
        "a session never goes back"
    );
}
