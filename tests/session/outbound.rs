//! What `PropagateLayer` adds to calls, and takes from replies.

use http::Method;
use tower::{Layer, ServiceExt};
use tower_zookie::session::{PropagateLayer, Session};
use tower_zookie::token::{Carrier, Carriers, CounterTokens};

use super::support::{Called, request};

fn session(token: &str) -> Session {
    let session = Session::new(CounterTokens::new("a"));
    session.absorb(token).unwrap();
    session
}

fn texts(session: &Session) -> Vec<String> {
    session.tokens().iter().map(ToString::to_string).collect()
}

/// What was asked, where a call with these headers is made under a session.
async fn asked(session: &Session, lines: &[(&str, &str)]) -> Called {
    let called = Called::default();
    let client = PropagateLayer::new().layer(called.client());
    session
        .scope(client.oneshot(request(Method::GET, lines)))
        .await
        .unwrap();
    called
}

#[tokio::test]
async fn rule_01_a_call_never_demands_less_than_it_did() {
    for (own, sent) in [
        (&[("zookie", "9")][..], "9"),
        (&[("zookie", "5")], "7"),
        (&[("zookie", "5,9")], "9"),
        (&[("zookie", "5"), ("zookie", "9")], "9"),
        // Only what is called can judge it.
        (&[("zookie", "x")], "7,x"),
        (&[("zookie-consistency", "fully-consistent")], "7"),
    ] {
        let called = asked(&session("7"), own).await;
        assert_eq!(called.last("zookie").as_deref(), Some(sent), "{own:?}");
        let stated = own.iter().find(|(name, _)| *name == "zookie-consistency");
        assert_eq!(
            called.last("zookie-consistency").as_deref(),
            stated.map(|(_, value)| *value)
        );
    }
}

#[tokio::test]
async fn rule_02_an_exact_read_keeps_its_one_token() {
    let exact = [("zookie", "5"), ("zookie-consistency", "at-exact-snapshot")];
    let called = asked(&session("7"), &exact).await;
    assert_eq!(called.last("zookie").as_deref(), Some("5"));
}

#[tokio::test]
async fn rule_15_more_tokens_than_a_request_may_have_become_full_consistency() {
    let own = [("zookie", "a!,b!,c!,d!,e!,f!,g!,h!")];
    let called = asked(&session("7"), &own).await;
    assert_eq!(called.last("zookie").as_deref(), Some(own[0].1));
    assert_eq!(called.last("zookie-consistency").as_deref(), Some("fully-consistent"));
}

#[tokio::test]
async fn without_a_session_a_call_passes_unchanged() {
    let called = Called::replies(&[&[("zookie", "9")]]);
    let client = PropagateLayer::new().layer(called.client());
    client.oneshot(request(Method::GET, &[])).await.unwrap();
    assert!(called.asked()[0].is_empty());
}

#[tokio::test]
async fn the_session_of_the_request_counts_before_the_current_one() {
    let called = Called::replies(&[&[("zookie", "9")]]);
    let client = PropagateLayer::new().layer(called.client());
    let (current, own) = (session("7"), session("5"));
    let mut call = request(Method::GET, &[]);
    call.extensions_mut().insert(own.clone());
    current.scope(client.oneshot(call)).await.unwrap();
    assert_eq!(called.last("zookie").as_deref(), Some("5"));
    assert_eq!(
        (texts(&current), texts(&own)),
        (vec!["7".to_owned()], vec!["9".to_owned()])
    );
}

#[tokio::test]
async fn rule_09_an_unreadable_token_in_a_reply_makes_calls_fully_consistent() {
    let called = Called::replies(&[&[("zookie", "no-number")]]);
    let client = PropagateLayer::new().layer(called.client());
    let session = session("7");
    for _ in 0..2 {
        let call = client.clone().oneshot(request(Method::POST, &[]));
        session.scope(call).await.unwrap();
    }
    assert_eq!(called.last("zookie").as_deref(), Some("7"));
    assert_eq!(called.last("zookie-consistency").as_deref(), Some("fully-consistent"));
}

#[tokio::test]
async fn rule_06_a_write_without_a_token_makes_calls_fully_consistent() {
    const A_WRITE: (&str, &str) = ("cache-status", "tower-zookie; fwd=method; detail=\"a write\"");
    for (reply, full) in [
        (&[A_WRITE][..], true),
        (&[A_WRITE, ("grpc-status", "0")], true),
        (&[A_WRITE, ("grpc-status", "6")], false),
        (&[A_WRITE, ("zookie", "9")], false),
        (&[("cache-status", "tower-zookie; hit")], false),
        (&[], false),
    ] {
        let called = Called::replies(&[reply]);
        let client = PropagateLayer::new().layer(called.client());
        let session = session("7");
        for _ in 0..2 {
            let call = client.clone().oneshot(request(Method::POST, &[]));
            session.scope(call).await.unwrap();
        }
        assert_eq!(called.last("zookie-consistency").is_some(), full, "{reply:?}");
    }
}

#[tokio::test]
async fn the_header_is_that_of_the_carriers() {
    let carriers = Carriers::new([
        Carrier::Cookie("z".to_owned()),
        Carrier::Header("x-token".parse().unwrap()),
    ])
    .unwrap();
    let called = Called::replies(&[&[("x-token", "9"), ("zookie", "11")]]);
    let client = PropagateLayer::with_carriers(&carriers).unwrap().layer(called.client());
    let session = session("7");
    session.scope(client.oneshot(request(Method::GET, &[]))).await.unwrap();
    assert_eq!(
        (called.last("x-token").as_deref(), called.last("zookie")),
        (Some("7"), None)
    );
    assert_eq!(texts(&session), ["9"]);

    let none = Carriers::new([Carrier::Cookie("z".to_owned())]).unwrap();
    assert_eq!(PropagateLayer::with_carriers(&none).unwrap_err().setting(), "carriers");
}
