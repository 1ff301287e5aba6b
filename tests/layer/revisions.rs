//! The token of a reply is one that the store named, and so is a cookie's.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt, service_fn};
use tower_zookie::ZookieLayer;
use tower_zookie::protocol::{CheckRoute, Routes, Verdict, WriteRoute};
use tower_zookie::token::{CounterTokens, InferaDb, OpaqueTokens, RevisionToken, TokenFormat};
use tower_zookie_testing::scripted::{Body, Client, NODE, Reply, Upstream, capabilities, z};

/// Sends a check through a layer to a service that always answers at the revision `says`.
async fn answered_at<F: TokenFormat + Clone>(format: F, says: &str, headers: &[(&str, &str)]) -> Vec<Reply> {
    let routes = Routes::builder(format)
        .capabilities(capabilities())
        .check(CheckRoute::get("/check").verdict(Verdict::json("allowed")))
        .build()
        .unwrap();
    let layer = ZookieLayer::builder(routes).build().unwrap();
    let says = says.to_owned();
    let inner = service_fn(move |_: Request<Body>| {
        let reply = Response::builder()
            .header("content-type", "application/json")
            .header("zookie", &says)
            .body(Full::new(Bytes::from_static(b"{\"allowed\":true}")));
        async move { Ok::<_, Infallible>(reply.unwrap()) }
    });
    let mut replies = Vec::new();
    for _ in 0..2 {
        let request = headers
            .iter()
            .fold(Request::get("/check?resource=a"), |request, (name, value)| {
                request.header(*name, *value)
            });
        let request = request.body(Full::<Bytes>::default().boxed_unsync()).unwrap();
        let (parts, body) = layer.layer(inner.clone()).oneshot(request).await.unwrap().into_parts();
        replies.push(Reply {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes(),
            trailers: None,
        });
    }
    replies
}

fn assert_rejected(replies: Vec<Reply>, token: &str) {
    for reply in replies {
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{reply:?}");
        let seconds: u64 = reply.header("retry-after").expect("no Retry-After").parse().unwrap();
        assert!(seconds < 60, "{seconds}");
        assert_ne!(reply.header("zookie"), Some(token), "the caller's own token");
        let problem = reply.json();
        let detail = problem["detail"].as_str().unwrap();
        assert!(
            detail.contains("at an older revision than the request demands"),
            "{detail}"
        );
        assert!(problem.get("allowed").is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_lower_revision_is_an_error() {
    let format = CounterTokens::new("test");
    for consistency in ["at-least-as-fresh", "fully-consistent"] {
        let headers = [("zookie", "7777777"), ("zookie-consistency", consistency)];
        assert_rejected(answered_at(format.clone(), "42", &headers).await, "7777777");
    }
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_revision_incomparable_with_the_floor_is_an_error() {
    let here = RevisionToken::new(NODE, 42).encode();
    let elsewhere = RevisionToken::with_vector_clock(NODE, 1, [(NODE, 1), ("n2", 5)]).encode();
    let replies = answered_at(InferaDb::cluster("test"), &here, &[("zookie", &elsewhere)]).await;
    assert_rejected(replies, &elsewhere);
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_cookie_ahead_of_the_store_is_replaced() {
    let replies = answered_at(CounterTokens::new("test"), "42", &[("cookie", "zookie=7777777")]).await;
    for reply in replies {
        let cookie = reply.header("set-cookie").expect("it sets the cookie");
        assert_eq!(cookie.split(';').next(), Some("zookie=42"));
        if reply.status != StatusCode::OK {
            assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
            assert!(reply.header("retry-after").is_some());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_01_an_upstream_behind_the_floor_gives_503() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    client.check("a").send().await;
    let reply = client.check("a").cookie(9).send().await;
    assert!(
        matches!(reply.status, StatusCode::CONFLICT | StatusCode::SERVICE_UNAVAILABLE),
        "{reply:?}"
    );
    assert_eq!(reply.set_cookie(), Some(1), "the store's token, so that it can go on");
    assert!(client.check("a").cookie(1).send().await.is_hit(), "nothing was dropped");
}

#[tokio::test(start_paused = true)]
async fn rule_05_opaque_replies_pass_with_their_own_token() {
    let replies = answered_at(OpaqueTokens::new("test"), "bbbb", &[("zookie", "aaaa")]).await;
    for reply in replies {
        assert_eq!((reply.status, reply.header("zookie")), (StatusCode::OK, Some("bbbb")));
        assert!(
            !reply.is_hit() && !reply.outcome().contains("; stored"),
            "{}",
            reply.outcome()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_callers_spelling_is_not_used_for_others() {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    client.check("other").send().await;
    let spellings = [
        format!(r#"{{"vector_clock":{{"{NODE}":1}},"revision":1,"node_id":"{NODE}"}}"#),
        format!("{{ \"node_id\" : \"{NODE}\",\n\"revision\":1, \"vector_clock\":{{\"{NODE}\":1}} }}"),
        format!(r#"{{"node_id":"{NODE}","revision":1,"vector_clock":{{"{NODE}":1,"zz":0}}}}"#),
    ];
    for (nth, json) in spellings.iter().enumerate() {
        for (form, token) in [("std", STANDARD.encode(json)), ("url", URL_SAFE_NO_PAD.encode(json))] {
            let name = format!("{nth}{form}");
            let reply = client.check(&name).header("zookie", &token).send().await;
            assert_eq!(reply.status, StatusCode::OK);
            let asked = upstream.last().header("zookie").map(str::to_owned);
            let shared = client.check(&name).send().await;
            if reply.outcome().contains("; stored") {
                assert_eq!(asked.as_deref().unwrap_or(&z(1)), z(1), "{json}");
            }
            assert_eq!(shared.header("zookie"), Some(&*z(1)), "{json}");
        }
    }
}

/// The clock of the cookie that a reply sets.
fn cookie(reply: &Reply) -> Option<RevisionToken> {
    let value = reply.header("set-cookie")?.strip_prefix("zookie=")?.split(';').next()?;
    let value = value.replace("%3D", "=").replace("%2B", "+").replace("%2F", "/");
    Some(RevisionToken::decode(&value).unwrap())
}

#[tokio::test(start_paused = true)]
async fn rule_06_a_writes_cookie_is_the_join_of_all_tokens() {
    let upstream = Upstream::new();
    let routes = Routes::builder(InferaDb::cluster("test"))
        .capabilities(capabilities())
        .check(CheckRoute::get("/check").verdict(Verdict::json("allowed")))
        .write(WriteRoute::post("/relationships").reply_token("zookie"))
        .build()
        .unwrap();
    let client = Client::of(&upstream, ZookieLayer::builder(routes));
    let elsewhere = RevisionToken::new("n2", 5).encode();
    let escaped = elsewhere.replace('=', "%3D");
    for (nth, (name, value, path)) in [
        ("cookie", format!("zookie={escaped}"), "/relationships".to_owned()),
        ("zookie", elsewhere, "/relationships".to_owned()),
        ("accept", "*/*".to_owned(), format!("/relationships?zookie={escaped}")),
    ]
    .into_iter()
    .enumerate()
    {
        let written = client
            .post(&path, &serde_json::json!({ "grant": format!("{nth}") }))
            .header(name, &value)
            .send()
            .await;
        let own = upstream.head();
        assert_eq!(written.revision(), own, "the reply's token is the store's word");
        let clock = cookie(&written).expect("a write sets the cookie").vector_clock;
        assert_eq!(clock, [(NODE.to_owned(), own), ("n2".to_owned(), 5)].into(), "{name}");
    }
    let alone = client
        .post("/relationships", &serde_json::json!({ "grant": "x" }))
        .send()
        .await;
    assert_eq!(cookie(&alone), Some(RevisionToken::new(NODE, upstream.head())));
}

#[tokio::test(start_paused = true)]
async fn rule_06_a_writes_cookie_never_goes_back() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    for _ in 0..5 {
        upstream.grant("x");
    }
    let write = |resource: &str| client.post("/relationships", &serde_json::json!({ "grant": resource }));
    let written = write("a").cookie(3).zookie(5).send().await;
    assert_eq!((written.revision(), written.set_cookie()), (7, Some(7)));
    let unreadable = write("b").header("cookie", "zookie=rubbish").send().await;
    assert_eq!(unreadable.set_cookie(), Some(8));
}

#[tokio::test(start_paused = true)]
async fn rule_06_parallel_reads_set_no_cookie() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    upstream.hold();
    let reads: Vec<_> = ["a", "a", "b"].map(|name| client.check(name).cookie(1).spawn()).into();
    tokio::task::yield_now().await;
    upstream.release();
    let written = client
        .post("/relationships", &serde_json::json!({ "grant": "c" }))
        .cookie(1)
        .send()
        .await;
    assert_eq!(written.set_cookie(), Some(2));
    for read in reads {
        let reply = read.await.unwrap().unwrap();
        assert_eq!((reply.status, reply.header("set-cookie")), (StatusCode::OK, None));
    }
    for request in [
        client.check("a").cookie(1),
        client.check("a").cookie(2),
        client.check("c").cookie(2).consistency("fully-consistent"),
        client.check("c").cookie(1).zookie(2),
        client.check("c").cookie(1).header("range", "bytes=0-1"),
    ] {
        let reply = request.send().await;
        assert_eq!(
            (reply.status, reply.header("set-cookie")),
            (StatusCode::OK, None),
            "{reply:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn rule_06_an_unusable_cookie_is_replaced() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    client.check("a").send().await;
    let foreign = RevisionToken::new("another", 9).encode();
    for cookie in ["zookie=rubbish", "zookie=", &format!("zookie={foreign}")] {
        let reply = client.check("a").header("cookie", cookie).send().await;
        assert_eq!(
            (reply.status, reply.set_cookie()),
            (StatusCode::OK, Some(1)),
            "{cookie}"
        );
    }
}
