//! Sessions whose tokens are signed.

use std::time::{Duration, SystemTime};

use http::{Method, StatusCode};
use tower::{Layer, ServiceExt};
use tower_zookie::session::{PropagateLayer, Session, SessionLayer};
use tower_zookie::token::{CounterTokens, Signing, SigningKey, Zookie};

use super::support::{Called, builder, header, request, through};

fn signing() -> Signing {
    Signing::new(SigningKey::new("k1", [1; 32]).unwrap()).max_age(Duration::from_secs(3600))
}

fn signed(token: &str) -> String {
    signing().sign(&Zookie::new(token, 64).unwrap()).to_string()
}

fn layer() -> SessionLayer {
    builder().signing(signing()).set_cookies(true).build().unwrap()
}

fn inner(text: &str) -> String {
    signing().verify(text).unwrap().zookie.to_string()
}

#[tokio::test]
async fn rule_08_a_session_signs_only_what_was_signed() {
    // A reply without a signature may only repeat what a caller made up.
    for (replied, sent, expected) in [
        (signed("7"), "5", Some("7")),
        ("7".to_owned(), "5", None),
        ("5".to_owned(), "7", None),
        (signed("5"), "7", None),
        (signed("7"), "7", Some("7")),
    ] {
        let replied: &'static str = replied.leak();
        let called = Called::replies(&[&[("zookie", replied)]]);
        let (_, headers) = through(&layer(), &called, &[Method::POST], &[("zookie", sent)]).await;
        let returned = header(&headers, "zookie").unwrap();
        let of_cookie = header(&headers, "set-cookie").unwrap();
        assert_eq!(
            Signing::is_signed(returned).then(|| inner(returned)).as_deref(),
            expected,
            "{replied}, {sent}"
        );
        assert!(expected.is_some() || returned == "7");
        assert_eq!(of_cookie.starts_with("zookie=zs1."), expected.is_some());
    }
}

#[tokio::test]
async fn a_callers_signed_token_keeps_its_time() {
    let called = Called::default();
    let token = signing().sign_at(
        &Zookie::new("7", 64).unwrap(),
        SystemTime::now() - Duration::from_secs(600),
    );
    let (_, headers) = through(&layer(), &called, &[Method::GET], &[("zookie", token.as_str())]).await;
    assert_eq!(header(&headers, "zookie"), Some(token.as_str()));
    assert_eq!(
        called.last("zookie").as_deref(),
        Some("7"),
        "whoever is called may have no key"
    );
}

#[tokio::test]
async fn tokens_go_out_signed_to_those_with_the_key() {
    let called = Called::default();
    let client = PropagateLayer::new().signed(true).layer(called.client());
    let session = Session::with_signing(CounterTokens::new("a"), signing());
    for (token, is_signed) in [(signed("7"), true), ("8".to_owned(), false)] {
        session.absorb(&token).unwrap();
        let client = client.clone();
        session.scope(client.oneshot(request(Method::GET, &[]))).await.unwrap();
        let sent = called.last("zookie").unwrap();
        assert_eq!(sent, if is_signed { token } else { "8".to_owned() });
    }
}

#[tokio::test]
async fn rule_09_bad_signatures_are_rejected_or_read_at_head() {
    let an_hour = Duration::from_secs(3700);
    let token = Zookie::new("7", 64).unwrap();
    for (bad, detail) in [
        (signed("7").replace(".7", ".8"), "signature"),
        (
            signing().sign_at(&token, SystemTime::now() - an_hour).to_string(),
            "too long ago",
        ),
        (
            Signing::new(SigningKey::new("gone", [1; 32]).unwrap())
                .sign(&token)
                .to_string(),
            "key",
        ),
    ] {
        let called = Called::default();
        let (status, _) = through(&layer(), &called, &[Method::GET], &[("zookie", &bad)]).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{detail}");
        assert!(called.asked().is_empty());
        let cookie = format!("zookie={bad}");
        let (status, _) = through(&layer(), &called, &[Method::GET], &[("cookie", &cookie)]).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(called.last("zookie-consistency").as_deref(), Some("fully-consistent"));
    }
    let without_key = builder().build().unwrap();
    let (status, _) = through(&without_key, &Called::default(), &[], &[("zookie", &signed("7"))]).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_join_is_as_old_as_the_older_of_both() {
    use tower_zookie::token::{InferaDb, RevisionToken};
    let (older, now) = (SystemTime::now() - Duration::from_secs(900), SystemTime::now());
    let of = |node, issued| {
        signing().sign_at(
            &Zookie::new(&RevisionToken::new(node, 3).encode(), 999).unwrap(),
            issued,
        )
    };
    let layer = SessionLayer::builder(InferaDb::cluster("c"))
        .signing(signing())
        .build()
        .unwrap();
    let both = format!("{},{}", of("east", older), of("west", now));
    let (_, headers) = through(&layer, &Called::default(), &[], &[("zookie", &both)]).await;
    let joined = signing().verify(header(&headers, "zookie").unwrap()).unwrap();
    assert_eq!(
        RevisionToken::decode(joined.zookie.as_str())
            .unwrap()
            .vector_clock
            .len(),
        2
    );
    assert!(joined.issued < now - Duration::from_secs(800));
    // With one that a client made up, the join is not named.
    let both = format!("{},{}", of("east", older), RevisionToken::new("west", 3).encode());
    let (_, headers) = through(&layer, &Called::default(), &[], &[("zookie", &both)]).await;
    assert!(!Signing::is_signed(header(&headers, "zookie").unwrap()));
}

#[tokio::test]
async fn what_an_application_says_of_a_write_is_signed() {
    let session = Session::with_signing(CounterTokens::new("a"), signing());
    let called = Called::default();
    session.absorb_written("7").unwrap();
    let client = PropagateLayer::new().signed(true).layer(called.client());
    session.scope(client.oneshot(request(Method::GET, &[]))).await.unwrap();
    assert_eq!(inner(&called.last("zookie").unwrap()), "7");
}
