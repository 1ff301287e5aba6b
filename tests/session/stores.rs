//! Tokens of several stores in one session.

use http::Method;
use tower::{Layer, ServiceExt};
use tower_zookie::session::{PropagateLayer, PropagateService, Session, SessionLayer};
use tower_zookie::token::spicedb::{Engine, ZedTokens};

use super::support::{Called, header, request, through};

/// Two revisions of one store, and one of another.
const OURS: &str = "Gg4KAjQyEghzb21ldW5pcQ==";
const OLDER: &str = "Gg4KAjQxEghzb21ldW5pcQ==";
const ELSEWHERE: &str = "CAIaAwoBNA==";
const FOREIGN: &str = "tower-zookie; detail=\"rejected: zookie-foreign\"";

fn session(tokens: &[&str]) -> Session {
    let session = Session::new(ZedTokens::new(Engine::Memory));
    tokens.iter().for_each(|token| session.absorb(token).unwrap());
    session
}

/// What was asked by a call under a session: the tokens, and the consistency.
async fn asked<S>(client: &PropagateService<S>, called: &Called, tokens: &[&str]) -> (Option<String>, bool)
where
    PropagateService<S>: Clone + tower::Service<http::Request<super::support::Body>, Error: std::fmt::Debug>,
{
    let call = client.clone().oneshot(request(Method::GET, &[]));
    session(tokens).scope(call).await.unwrap();
    (called.last("zookie"), called.last("zookie-consistency").is_some())
}

#[tokio::test]
async fn a_store_gets_only_its_own_tokens() {
    let called = Called::replies(&[&[("zookie", OURS)]]);
    let client = PropagateLayer::new().layer(called.client());
    let token = |text: &str| Some(text.to_owned());
    assert_eq!(asked(&client, &called, &[]).await, (None, false));
    assert_eq!(
        asked(&client, &called, &[OLDER, ELSEWHERE]).await,
        (token(OLDER), false)
    );
    // Nothing that it can cover: only a read at head is surely fresh enough.
    assert_eq!(asked(&client, &called, &[ELSEWHERE]).await, (None, true));
}

#[tokio::test]
async fn before_its_first_reply_a_store_gets_the_tokens_of_one_store() {
    let called = Called::default();
    let client = PropagateLayer::new().layer(called.client());
    assert_eq!(asked(&client, &called, &[OURS]).await, (Some(OURS.to_owned()), false));
    assert_eq!(asked(&client, &called, &[OURS, ELSEWHERE]).await, (None, true));
}

#[tokio::test]
async fn rule_09_a_rejected_stores_tokens_become_full_consistency() {
    let called = Called::replies(&[&[("cache-status", FOREIGN)]]);
    let client = PropagateLayer::new().layer(called.client());
    assert_eq!(
        asked(&client, &called, &[ELSEWHERE]).await,
        (Some(ELSEWHERE.to_owned()), false)
    );
    assert_eq!(asked(&client, &called, &[ELSEWHERE]).await, (None, true));
    assert_eq!(asked(&client, &called, &[OURS]).await, (Some(OURS.to_owned()), false));
}

#[tokio::test]
async fn a_service_with_sessions_gets_all_tokens() {
    let called = Called::replies(&[&[("zookie", OURS), ("zookie-session", "read")]]);
    let client = PropagateLayer::new().layer(called.client());
    asked(&client, &called, &[]).await;
    let both = format!("{OURS},{ELSEWHERE}");
    assert_eq!(asked(&client, &called, &[OURS, ELSEWHERE]).await, (Some(both), false));
}

#[tokio::test]
async fn a_cookie_of_a_replaced_store_is_replaced_by_a_read() {
    let layer = SessionLayer::builder(ZedTokens::new(Engine::Memory))
        .set_cookies(true)
        .build()
        .unwrap();
    let cookie = format!("zookie={ELSEWHERE}");
    let called = Called::replies(&[&[("zookie", OURS)]]);
    let (_, headers) = through(&layer, &called, &[Method::GET], &[("cookie", &cookie)]).await;
    let set = header(&headers, "set-cookie").unwrap();
    let cookie = set.split(';').next().unwrap();
    assert!(cookie.contains("%2C") || cookie.contains(','), "both tokens: {cookie}");

    // With this cookie the store is asked at its own token, and no cookie is set again.
    let called = Called::replies(&[&[("zookie", OURS)], &[("zookie", OURS)]]);
    let (_, headers) = through(&layer, &called, &[Method::GET, Method::GET], &[("cookie", cookie)]).await;
    assert_eq!(
        (called.last("zookie").as_deref(), header(&headers, "set-cookie")),
        (Some(OURS), None)
    );
}
