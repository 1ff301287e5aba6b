//! Which callers share answers.

use std::net::SocketAddr;

use axum::Router;
use clap::Parser;
use http::Version;
use http_body_util::BodyExt;
use tokio::net::TcpListener;
use tower_zookie_sidecar::args::Args;
use tower_zookie_testing::wire::Recording;

use crate::checks::to;
use crate::http::{client, send};
use crate::running::Running;

/// An upstream that answers a recorded check, whoever asks.
async fn upstream(recording: &Recording) -> SocketAddr {
    let (parts, body) = recording.call("http-check-default").response.replay().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let router = Router::new().fallback(move || async move { (parts.headers, body) });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, router).await });
    address
}

/// Whether each caller, in this order, is answered from memory. A caller is a list of headers.
async fn from_memory(flags: &[&str], callers: &[&[(&'static str, &str)]]) -> Vec<bool> {
    let recording = Recording::load("spicedb/http-postgres");
    let url = format!("http://{}", upstream(&recording).await);
    let sidecar = Running::with(&[&["--http-upstream", &url], flags].concat()).await;
    let client = client(Version::HTTP_11);
    let mut hits = Vec::new();
    for headers in callers {
        let mut request = to(&sidecar, recording.call("http-check-default"));
        request.headers_mut().remove("authorization");
        for (name, value) in *headers {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        let (_, headers, _) = send(&client, request).await;
        hits.push(headers["cache-status"] == "tower-zookie; hit");
    }
    hits
}

const KEYS: [(&str, &str); 2] = [("authorization", "Bearer 1"), ("authorization", "Bearer 2")];

#[tokio::test]
async fn rule_10_callers_share_only_with_the_flag() {
    let callers = [&KEYS[..1], &KEYS[..1], &KEYS[1..], &[]];
    assert_eq!(from_memory(&[], &callers).await, [false, true, false, false]);
    assert_eq!(
        from_memory(&["--callers-share"], &callers).await,
        [false, true, true, true]
    );
}

#[tokio::test]
async fn rule_10_a_header_names_the_caller_instead_of_its_key() {
    let [one, two] = KEYS;
    let user = |name| ("x-user", name);
    let callers: [&[_]; 10] = [
        &[one, user("alice")],
        &[two, user("alice")],
        &[user("alice")],
        &[one, user("mallory")],
        // A name that the caller sent beside the proxy's makes another caller.
        &[one, user("mallory"), user("alice")],
        // Without a name, the key counts.
        &[one],
        &[one],
        &[two],
        &[one, user("")],
        &[two, user("")],
    ];
    assert_eq!(
        from_memory(&["--identity-header", "X-User"], &callers).await,
        [false, true, true, false, false, false, true, false, false, false]
    );
}

#[test]
fn headers_that_name_no_caller_are_rejected() {
    let rejected = |more: &[&str]| {
        let up = ["zookie-sidecar", "--engine", "mysql", "--upstream", "http://h"];
        let error = Args::try_parse_from([&up[..], more].concat()).unwrap_err();
        error.to_string()
    };
    for name in ["authorization", "Cookie", "zookie", "zookie-consistency", "host"] {
        let message = rejected(&["--identity-header", name]);
        assert!(message.contains("--identity-header <NAME>"), "{message}");
        assert!(
            message.contains("already says something else; use the header in which the proxy"),
            "{message}"
        );
    }
    let message = rejected(&["--identity-header", "x user"]);
    assert!(
        message.contains("`x user` is no header's name; use one such as `x-user`"),
        "{message}"
    );
    let message = rejected(&["--identity-header", "x-user", "--callers-share"]);
    assert!(message.contains("cannot be used with"), "{message}");
}
