//! Requests that can't be answered from memory: their requirement is still checked, and forwarded to the inner service.

use std::future::ready;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use tower_zookie::ByteSize;
use tower_zookie::consistency::Consistency;
use tower_zookie_testing::scripted::{Both, Client, Seen, Sent, Trouble, Upstream, z, zookie_of};

#[derive(Clone, Copy, Debug)]
enum Bypass {
    ParameterTwice,
    Header(&'static str, &'static str),
    BodyOfGet,
    NameTwice,
    NotJson,
    OverLong,
    Trailers,
}

/// The same for all bypasses: a body of more bytes is too long.
const LONGEST_BODY: usize = 200;

const RESOURCE: &str =
    r#""subject":{"type":"user","id":"ada"},"action":{"name":"read"},"resource":{"type":"doc","id":"a"}"#;

fn strict(upstream: &Upstream, require_token: bool) -> Client {
    Client::with(upstream, |builder| {
        builder
            .max_request_body(ByteSize::bytes(LONGEST_BODY as u64))
            .require_token(require_token)
    })
}

/// A check that has to be bypassed, with these parameters in its query.
fn check(client: &Client, bypass: Bypass, query: &[String]) -> Sent<Both> {
    let mut parameters = vec!["resource=a".to_owned()];
    if matches!(bypass, Bypass::ParameterTwice) {
        parameters.extend(["other=1".to_owned(), "other=2".to_owned()]);
    }
    parameters.extend(query.iter().cloned());
    let query = parameters.join("&");
    let get = format!("/check?{query}");
    let post = format!("/access/v1/evaluation?{query}");
    let posted = |body: String| {
        client
            .request("POST", &post, &body)
            .header("content-type", "application/json")
    };
    match bypass {
        Bypass::ParameterTwice => client.get(&get),
        Bypass::Header("content-encoding", coding) => {
            posted(format!("{{{RESOURCE}}}")).header("content-encoding", coding)
        }
        Bypass::Header(name, value) => client.get(&get).header(name, value),
        Bypass::BodyOfGet => client.request("GET", &get, "a body"),
        Bypass::NameTwice => posted(format!(r#"{{{RESOURCE},"context":1,"context":2}}"#)),
        Bypass::NotJson => posted("{".to_owned()),
        Bypass::OverLong => posted(format!("{{{RESOURCE}}}{}", " ".repeat(LONGEST_BODY))),
        Bypass::Trailers => {
            let trailers = HeaderMap::from_iter([("checksum".parse().unwrap(), "1".parse().unwrap())]);
            let body = Full::new(Bytes::from(format!("{{{RESOURCE}}}")));
            let request = Request::post(post).header("content-type", "application/json");
            let body = body.with_trailers(ready(Some(Ok(trailers)))).boxed_unsync();
            client.sent(request.body(body).unwrap())
        }
    }
}

/// The same with a token in one of four places.
fn with_token(client: &Client, bypass: Bypass, place: &str, token: &str) -> Sent<Both> {
    let escaped = token.replace('=', "%3D").replace('+', "%2B").replace('/', "%2F");
    match place {
        "header" => check(client, bypass, &[]).header("zookie", token),
        "cookie" => check(client, bypass, &[]).header("cookie", &format!("zookie={escaped}")),
        name => check(client, bypass, &[format!("{name}={escaped}")]),
    }
}

const PLACES: [&str; 4] = ["header", "cookie", "zookie", "token"];

/// What the inner service received: in the headers, and the same in the extension. The headers of a signed request stay
/// unmodified.
fn received(bypass: Bypass, seen: &Seen) -> (Consistency, Option<u64>) {
    for name in ["zookie", "zookie-consistency"] {
        assert!(seen.headers.get_all(name).iter().count() <= 1, "{name} twice: {seen:?}");
    }
    let asked = seen.asked.as_ref().unwrap_or_else(|| panic!("no `Asked`: {seen:?}"));
    let unstated = match seen.header("zookie") {
        Some(_) => Consistency::AtLeastAsFresh,
        None => Consistency::MinimizeLatency,
    };
    let consistency = seen.header("zookie-consistency").map_or(unstated, |text| {
        text.parse().unwrap_or_else(|_| panic!("what consistency? {seen:?}"))
    });
    let zookie = asked.zookie.as_ref().map(|zookie| zookie.as_str());
    if !matches!(bypass, Bypass::Header("signature", _)) {
        assert_eq!(consistency, asked.consistency, "{seen:?}");
        assert_eq!(seen.header("zookie"), zookie, "{seen:?}");
    }
    (asked.consistency, zookie.map(zookie_of))
}

async fn states_the_requirement(bypass: Bypass) {
    let upstream = Upstream::new();
    upstream.grant("b");
    let client = strict(&upstream, false);
    for place in PLACES {
        for (name, value) in [
            ("accept", "*/*"),
            ("zookie-consistency", "at-least-as-fresh"),
            ("zookie-consistency", "minimize-latency"),
            ("zookie-consistency", "bounded-staleness=2s"),
            ("zookie-consistency", "fully-consistent"),
            ("cache-control", "max-age=0, no-cache"),
            ("zookie-consistency", "at-exact-snapshot"),
        ] {
            let exact = value == "at-exact-snapshot";
            if exact && place == "cookie" {
                continue;
            }
            let calls = upstream.calls();
            let reply = with_token(&client, bypass, place, &z(1))
                .header(name, value)
                .send()
                .await;
            let case = format!("{bypass:?}, {place}, {value}");
            assert_eq!((reply.status, upstream.calls()), (StatusCode::OK, calls + 1), "{case}");
            assert!(reply.outcome().starts_with("fwd=bypass"), "{case}: {}", reply.outcome());
            let revision = if exact { 1 } else { 2 };
            // The scripted service reads nothing but headers.
            if !matches!(bypass, Bypass::Header("signature", _)) {
                assert_eq!(reply.header("zookie"), Some(&*z(revision)), "{case}");
            }
            let (consistency, floor) = received(bypass, &upstream.last());
            let head = consistency == Consistency::FullyConsistent;
            match value {
                "fully-consistent" | "max-age=0, no-cache" => assert!(head, "{case}: {consistency}"),
                "bounded-staleness=2s" => assert!(
                    head || consistency == "bounded-staleness=2s".parse().unwrap(),
                    "{case}: {consistency}"
                ),
                "at-exact-snapshot" => assert_eq!(consistency, Consistency::AtExactSnapshot, "{case}"),
                _ => assert!(
                    head || consistency == Consistency::AtLeastAsFresh,
                    "{case}: {consistency}"
                ),
            }
            assert!(floor == Some(1) || head && floor.is_none(), "{case}: at {floor:?}");
        }
    }
    // Without a token, and with a malformed cookie.
    let consistencies = |name, value| check(&client, bypass, &[]).header(name, value);
    for request in [
        consistencies("zookie-consistency", "fully-consistent"),
        consistencies("cache-control", "no-cache"),
        consistencies("cookie", "zookie=rubbish"),
    ] {
        request.send().await;
        assert_eq!(
            received(bypass, &upstream.last()).0,
            Consistency::FullyConsistent,
            "{bypass:?}"
        );
    }
    assert_eq!(client.layer.handle().stats().entries, 0, "{bypass:?}");
}

async fn is_judged_first(bypass: Bypass) {
    let upstream = Upstream::new();
    let client = strict(&upstream, true);
    let exact = || with_token(&client, bypass, "header", &z(1)).consistency("at-exact-snapshot");
    for (request, name) in [
        (check(&client, bypass, &[]), "zookie-required"),
        (
            check(&client, bypass, &[]).header("zookie", "rubbish"),
            "zookie-malformed",
        ),
        (
            check(&client, bypass, &["token=rubbish".to_owned()]),
            "zookie-malformed",
        ),
        (
            check(&client, bypass, &[]).zookie(1).consistency("fresh"),
            "unknown-consistency",
        ),
        (
            with_token(&client, bypass, "cookie", &z(1)).consistency("at-exact-snapshot"),
            "exact-needs-one-zookie",
        ),
        (exact().zookie(1), "exact-needs-one-zookie"),
        (exact().header("cache-control", "no-cache"), "contradictory-consistency"),
    ] {
        let reply = request.send().await;
        assert_eq!(
            (reply.status, upstream.calls()),
            (StatusCode::BAD_REQUEST, 0),
            "{bypass:?}: {name}"
        );
        assert_eq!(
            reply.json()["type"],
            format!("urn:tower-zookie:{name}"),
            "{bypass:?}: {name}"
        );
    }
}

async fn loses_nothing(bypass: Bypass) {
    is_judged_first(bypass).await;
    states_the_requirement(bypass).await;
}

#[tokio::test(start_paused = true)]
async fn rule_09_a_repeated_parameter_keeps_the_requirement() {
    loses_nothing(Bypass::ParameterTwice).await;
}

#[tokio::test(start_paused = true)]
async fn rule_09_a_range_keeps_the_requirement() {
    loses_nothing(Bypass::Header("range", "bytes=0-1")).await;
}

#[tokio::test(start_paused = true)]
async fn rule_09_a_conditional_request_keeps_the_requirement() {
    for name in ["if-none-match", "if-match"] {
        loses_nothing(Bypass::Header(name, "\"x\"")).await;
    }
    for name in ["if-modified-since", "if-unmodified-since"] {
        loses_nothing(Bypass::Header(name, "Thu, 01 Jan 1970 00:00:00 GMT")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn rule_09_a_connection_header_keeps_the_requirement() {
    loses_nothing(Bypass::Header("connection", "x-tenant")).await;
}

#[tokio::test(start_paused = true)]
async fn rule_09_a_signed_request_keeps_the_requirement() {
    loses_nothing(Bypass::Header("signature", "a=:b:")).await;
}

#[tokio::test(start_paused = true)]
async fn rule_09_a_path_override_header_keeps_the_requirement() {
    for (name, value) in [
        ("x-original-url", "/check?resource=b"),
        ("x-rewrite-url", "/check?resource=b"),
        ("x-http-method-override", "DELETE"),
    ] {
        loses_nothing(Bypass::Header(name, value)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn rule_09_a_body_of_a_get_keeps_the_requirement() {
    loses_nothing(Bypass::BodyOfGet).await;
}

#[tokio::test(start_paused = true)]
async fn rule_09_a_repeated_name_keeps_the_requirement() {
    loses_nothing(Bypass::NameTwice).await;
}

#[tokio::test(start_paused = true)]
async fn rule_09_an_unreadable_body_keeps_the_requirement() {
    loses_nothing(Bypass::NotJson).await;
}

#[tokio::test(start_paused = true)]
async fn rule_09_an_over_long_body_keeps_the_requirement() {
    loses_nothing(Bypass::OverLong).await;
}

#[tokio::test(start_paused = true)]
async fn rule_09_a_body_with_trailers_keeps_the_requirement() {
    loses_nothing(Bypass::Trailers).await;
}

#[tokio::test(start_paused = true)]
async fn rule_09_a_compressed_body_keeps_the_requirement() {
    loses_nothing(Bypass::Header("content-encoding", "gzip")).await;
}

#[tokio::test(start_paused = true)]
async fn rule_09_a_bypass_keeps_the_messages_own_token() {
    let upstream = Upstream::new();
    upstream.grant("a");
    let client = strict(&upstream, true);
    let ask = |revision| {
        client
            .post("/allow", &serde_json::json!({ "resource": "a", "at": z(revision) }))
            .header("range", "bytes=0-1")
    };
    let reply = ask(1).send().await;
    assert_eq!((reply.status, reply.outcome()), (StatusCode::OK, "fwd=bypass"));
    let seen = upstream.last();
    let in_message = serde_json::from_slice::<serde_json::Value>(&seen.body).unwrap()["at"] == z(1);
    assert!(in_message || seen.header("zookie") == Some(&*z(1)), "{seen:?}");
    let raised = ask(1).zookie(2).send().await;
    assert_eq!((raised.status, raised.revision()), (StatusCode::OK, 2));
    assert_eq!(upstream.last().header("zookie"), Some(&*z(2)));
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_bypass_is_not_answered_below_its_floor() {
    let upstream = Upstream::new();
    let client = strict(&upstream, false);
    for bypass in [
        Bypass::ParameterTwice,
        Bypass::Header("range", "bytes=0-1"),
        Bypass::NotJson,
    ] {
        for consistency in ["at-least-as-fresh", "fully-consistent"] {
            let reply = with_token(&client, bypass, "header", &z(9))
                .consistency(consistency)
                .send()
                .await;
            assert!(
                matches!(reply.status, StatusCode::CONFLICT | StatusCode::SERVICE_UNAVAILABLE),
                "{bypass:?}, {consistency}: {reply:?}"
            );
            assert_ne!(reply.header("zookie"), Some(&*z(9)), "{bypass:?}, {consistency}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_09_forwarded_bad_tokens_are_unmodified() {
    let upstream = Upstream::new();
    let client = Client::with(&upstream, |builder| {
        builder.forward_bad_tokens(true).require_token(true)
    });
    // The scripted service could not read it.
    upstream.trouble(Trouble::Status(StatusCode::BAD_REQUEST));
    for range in [false, true] {
        for tokens in ["rubbish".to_owned(), format!("{}, rubbish", z(1))] {
            let calls = upstream.calls();
            let mut request = client.check("a").header("zookie", &tokens);
            if range {
                request = request.header("range", "bytes=0-1");
            }
            let reply = request.send().await;
            assert_eq!((reply.status, upstream.calls()), (StatusCode::BAD_REQUEST, calls + 1));
            assert!(reply.outcome().starts_with("fwd=bypass"), "{}", reply.outcome());
            let seen = upstream.last();
            let lines = seen.headers.get_all("zookie").iter();
            let text: Vec<&str> = lines.map(|line| line.to_str().unwrap()).collect();
            for token in tokens.split(", ") {
                assert!(
                    text.iter().any(|line| line.contains(token)),
                    "{token} is gone: {seen:?}"
                );
            }
            let says_none = seen
                .asked
                .as_ref()
                .is_some_and(|asked| asked.zookie.is_none() && asked.consistency != Consistency::FullyConsistent);
            assert!(!says_none, "it became no token: {seen:?}");
        }
    }
    assert_eq!(client.layer.handle().stats().entries, 0);
}

#[tokio::test(start_paused = true)]
async fn rule_02_exact_with_a_stricter_consistency_is_rejected() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    let exact = || client.check("a").zookie(1).consistency("at-exact-snapshot");
    for request in [
        exact().header("cache-control", "no-cache"),
        exact().consistency("bounded-staleness=2s"),
        exact().consistency("fully-consistent"),
    ] {
        let reply = request.send().await;
        assert_eq!(
            (reply.status, upstream.calls()),
            (StatusCode::BAD_REQUEST, 0),
            "{reply:?}"
        );
    }
    assert!(
        exact()
            .header("cache-control", "max-age=5")
            .send()
            .await
            .status
            .is_success()
    );
}

#[tokio::test(start_paused = true)]
async fn rule_09_a_bypass_with_an_unknown_stores_cookie_reads_head() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    let foreign = tower_zookie::token::RevisionToken::new("elsewhere", 7).encode();
    let cookie = format!("zookie={}", foreign.replace('=', "%3D"));
    let request = client.check("a").header("range", "bytes=0-1");
    let reply = request.header("cookie", &cookie).send().await;
    assert_eq!((reply.status.as_u16(), reply.outcome()), (200, "fwd=bypass"));
    let seen = upstream.last();
    assert_eq!(
        (seen.header("zookie"), seen.header("zookie-consistency")),
        (None, Some("fully-consistent"))
    );
}
