//! What `SessionLayer` reads and returns.

use http::{Method, StatusCode};
use tower_zookie::session::SessionLayer;
use tower_zookie::token::{Carrier, Carriers, OpaqueTokens, SameSite};

use super::support::{Called, builder, header, through};

#[tokio::test]
async fn rule_06_the_response_joins_the_callers_token_and_the_replies() {
    let layer = builder().build().unwrap();
    for (sent, replied, returned) in [
        ("7", "9", "9"),
        // A reply may be older: the caller has seen more.
        ("9", "7", "9"),
    ] {
        let called = Called::replies(&[&[("zookie", replied)]]);
        let (_, headers) = through(&layer, &called, &[Method::POST], &[("zookie", sent)]).await;
        assert_eq!(header(&headers, "zookie"), Some(returned));
        assert_eq!(called.last("zookie").as_deref(), Some(sent));
    }
}

#[tokio::test]
async fn a_response_without_tokens_stays_unchanged() {
    let layer = builder().set_cookies(true).build().unwrap();
    let (_, headers) = through(&layer, &Called::default(), &[Method::GET], &[]).await;
    assert!(headers.is_empty(), "{headers:?}");
}

#[tokio::test]
async fn the_cookie_is_set_by_writes_and_to_those_who_have_none() {
    let layer = builder().set_cookies(true).build().unwrap();
    for (method, lines, cookie) in [
        (Method::POST, &[("cookie", "zookie=7")][..], Some("zookie=9")),
        (Method::GET, &[("cookie", "zookie=7")], None),
        (Method::GET, &[("zookie", "7")], None),
        (Method::GET, &[], Some("zookie=9")),
        // What can't be read is replaced.
        (Method::GET, &[("cookie", "zookie=x")], Some("zookie=9")),
    ] {
        let called = Called::replies(&[&[("zookie", "9")]]);
        let (_, headers) = through(&layer, &called, &[method], lines).await;
        let set = header(&headers, "set-cookie").map(|set| set.split(';').next().unwrap());
        assert_eq!(set, cookie, "{lines:?}");
    }
}

#[tokio::test]
async fn a_caller_without_a_token_gets_the_one_of_a_service_behind() {
    let layer = builder().set_cookies(true).build().unwrap();
    for (lines, sets) in [(&[][..], true), (&[("zookie", "7")], false)] {
        let called = Called::replies(&[&[("zookie", "9"), ("zookie-session", "read")]]);
        let (_, headers) = through(&layer, &called, &[Method::POST], lines).await;
        assert_eq!(headers.contains_key("set-cookie"), sets, "{lines:?}");
    }
}

#[tokio::test]
async fn the_cookie_has_its_attributes_and_needs_a_setting() {
    let carriers = Carriers::new([Carrier::Cookie("session".to_owned())])
        .unwrap()
        .secure(true)
        .same_site(SameSite::None);
    let layer = builder().carriers(carriers).set_cookies(true).build().unwrap();
    let called = || Called::replies(&[&[("zookie", "9")]]);
    let (_, headers) = through(&layer, &called(), &[Method::POST], &[]).await;
    let set = header(&headers, "set-cookie").unwrap();
    for part in ["session=9", "HttpOnly", "SameSite=None", "Secure"] {
        assert!(set.contains(part), "{part} is not in {set}");
    }
    assert_eq!(header(&headers, "zookie"), None, "no header is a carrier");

    let layer = builder().build().unwrap();
    let (_, headers) = through(&layer, &called(), &[Method::POST], &[]).await;
    assert_eq!(
        (header(&headers, "set-cookie"), header(&headers, "zookie")),
        (None, Some("9"))
    );
}

#[tokio::test]
async fn rule_09_an_unreadable_token_in_a_header_is_rejected() {
    let layer = builder().build().unwrap();
    let nine = ["7"; 9].join(",");
    for bad in ["x", "", "7,x", &nine] {
        let called = Called::default();
        let (status, headers) = through(&layer, &called, &[Method::GET], &[("zookie", bad)]).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{bad}");
        assert_eq!(header(&headers, "content-type"), Some("application/problem+json"));
        assert!(called.asked().is_empty());

        let grpc = [("zookie", bad), ("content-type", "application/grpc")];
        let (status, headers) = through(&layer, &called, &[Method::GET], &grpc).await;
        assert_eq!((status, header(&headers, "grpc-status")), (StatusCode::OK, Some("3")));
    }
}

#[tokio::test]
async fn rule_09_an_unreadable_cookie_makes_calls_fully_consistent() {
    let layer = builder().build().unwrap();
    for lines in [
        &[("cookie", "zookie=x")][..],
        &[("cookie", "zookie=x"), ("zookie", "7")],
    ] {
        let called = Called::default();
        through(&layer, &called, &[Method::GET], lines).await;
        assert_eq!(called.last("zookie-consistency").as_deref(), Some("fully-consistent"));
        assert_eq!(called.last("zookie").is_some(), lines.len() > 1);
    }
}

#[tokio::test]
async fn rule_09_a_callers_full_consistency_reaches_the_calls() {
    let layer = builder().build().unwrap();
    for (stated, full) in [
        ("fully-consistent", true),
        ("fresh", true),
        ("minimize-latency", false),
        ("bounded-staleness=2s", false),
    ] {
        let called = Called::default();
        through(&layer, &called, &[Method::GET], &[("zookie-consistency", stated)]).await;
        assert_eq!(called.last("zookie-consistency").is_some(), full, "{stated}");
    }
}

#[tokio::test]
async fn rule_06_a_ninth_token_without_a_join_is_not_forgotten() {
    let layer = SessionLayer::builder(OpaqueTokens::new("a"))
        .set_cookies(true)
        .build()
        .unwrap();
    let called = Called::replies(&[&[("zookie", "i")]]);
    let sent = [("zookie", "a,b,c,d,e,f,g,h")];
    let (_, headers) = through(&layer, &called, &[Method::POST, Method::GET], &sent).await;
    // The calls that follow are fully consistent, and so is the next request.
    assert_eq!(called.asked()[0].get("zookie-consistency"), None);
    assert_eq!(called.last("zookie-consistency").as_deref(), Some("fully-consistent"));
    assert_eq!(header(&headers, "zookie"), Some("b,c,d,e,f,g,h,i"));
    assert_eq!(header(&headers, "zookie-consistency"), Some("fully-consistent"));
    let set = header(&headers, "set-cookie").unwrap();
    assert!(set.starts_with("zookie=fully-consistent;"), "{set}");

    let called = Called::replies(&[&[("zookie", "j")]]);
    let cookie = [("cookie", "zookie=fully-consistent")];
    let (_, headers) = through(&layer, &called, &[Method::GET], &cookie).await;
    assert_eq!(called.last("zookie-consistency").as_deref(), Some("fully-consistent"));
    assert_eq!((called.last("zookie"), header(&headers, "zookie")), (None, Some("j")));
    assert!(header(&headers, "set-cookie").unwrap().starts_with("zookie=j;"));
}

#[tokio::test]
async fn rule_06_tokens_too_long_for_a_cookie_are_not_forgotten() {
    let layer = SessionLayer::builder(OpaqueTokens::new("a"))
        .set_cookies(true)
        .build()
        .unwrap();
    let sent = ["a", "b", "c"].map(|letter| letter.repeat(1500)).join(",");
    let (_, headers) = through(&layer, &Called::default(), &[Method::GET], &[("zookie", &sent)]).await;
    assert_eq!(
        (header(&headers, "zookie"), header(&headers, "set-cookie")),
        (Some(&*sent), None)
    );

    let called = Called::replies(&[&[("zookie", "d")]]);
    let (_, headers) = through(&layer, &called, &[Method::POST], &[("zookie", &sent)]).await;
    let set = header(&headers, "set-cookie").unwrap();
    assert!(set.starts_with("zookie=fully-consistent;"), "{set}");
}

#[tokio::test]
async fn rule_08_a_token_stays_in_its_own_session() {
    let layer = builder().build().unwrap();
    let called = Called::default();
    through(&layer, &called, &[Method::GET], &[("zookie", "99")]).await;
    through(&layer, &called, &[Method::GET], &[("zookie", "7")]).await;
    through(&layer, &called, &[Method::GET], &[]).await;
    let asked = called.asked();
    let sent: Vec<_> = asked.iter().map(|headers| header(headers, "zookie")).collect();
    assert_eq!(sent, [Some("99"), Some("7"), None]);
}

#[test]
fn rule_17_settings_that_cannot_work_are_rejected() {
    let header = || Carriers::new([Carrier::Header("zookie".parse().unwrap())]).unwrap();
    for (builder, setting) in [
        (builder().carriers(header()).set_cookies(true), "set_cookies"),
        (builder().carriers(header().max_tokens(7)), "max_tokens"),
        (builder().carriers(Carriers::new([]).unwrap()), "carriers"),
        (builder().carriers(header().same_site(SameSite::Strict)), "same_site"),
        (
            builder().carriers(Carriers::default().same_site(SameSite::None)),
            "same_site",
        ),
    ] {
        assert_eq!(builder.build().unwrap_err().setting(), setting);
    }
}
