use proptest::prelude::*;

use crate::token::carrier::*;

type Found = Vec<(Source, Option<String>)>;

fn found_in(carriers: &Carriers, headers: &HeaderMap, uri: &str) -> Result<Found, TokenError> {
    let mut found = Vec::new();
    let uri: Uri = uri.parse().unwrap();
    carriers.visit(headers, &uri, |source, text| {
        found.push((source, text.ok().map(str::to_owned)))
    })?;
    Ok(found)
}

fn found(headers: &HeaderMap, uri: &str) -> Found {
    found_in(&Carriers::default(), headers, uri).unwrap()
}

fn headers(lines: &[(&'static str, &[u8])]) -> HeaderMap {
    lines
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap()))
        .collect()
}

fn some(source: Source, texts: &[&str]) -> Found {
    texts.iter().map(|text| (source, Some((*text).to_owned()))).collect()
}

fn zookie(text: &str) -> Zookie {
    Zookie::new(text, 5000).unwrap()
}

fn lines(headers: &HeaderMap, name: HeaderName) -> Vec<&[u8]> {
    headers.get_all(name).iter().map(HeaderValue::as_bytes).collect()
}

#[test]
fn an_empty_request_has_no_token() {
    let others = headers(&[
        ("cookie", b"a=zookie; zookiex=1; zookie"),
        ("x", b"zookie"),
        ("cookie", b""),
    ]);
    assert_eq!(found(&others, "/zookie?a=zookie&zookies=1&%74oken2=1&"), []);
    assert_eq!(found(&HeaderMap::new(), "/"), []);
    assert_eq!(found(&HeaderMap::new(), "*"), []);
    assert_eq!(found(&HeaderMap::new(), "example.com:443"), []);
}

#[test]
fn every_header_is_found_and_every_part_of_it() {
    let both = headers(&[("zookie", b"a+/="), ("zookie", b"b , c,d")]);
    assert_eq!(found(&both, "/"), some(Source::Header, &["a+/=", "b", "c", "d"]));
}

#[test]
fn every_cookie_of_every_line_is_found_and_decoded() {
    let split = headers(&[
        ("cookie", b"zookie=a%2B%2F%3D; x=\xff;zookie=b+/=="),
        ("cookie", b" zookie = \"c\" "),
    ]);
    assert_eq!(found(&split, "/"), some(Source::Cookie, &["a+/=", "b+/==", "c"]));
}

#[test]
fn every_parameter_is_found_and_decoded() {
    let uri = "/p?zookie=a&token=b%3D&x=y&zo%6Fkie=c&token=d";
    assert_eq!(
        found(&HeaderMap::new(), uri),
        some(Source::Query, &["a", "c", "b=", "d"])
    );
}

#[test]
fn a_plus_in_a_query_survives() {
    for spelled in ["a+b/c=", "a%2Bb%2Fc%3D", "a%2bb/c=", "a%20b/c="] {
        let uri = format!("/?zookie={spelled}");
        assert_eq!(
            found(&HeaderMap::new(), &uri),
            some(Source::Query, &["a+b/c="]),
            "{spelled}"
        );
    }
}

#[test]
fn places_are_shown_in_order_with_their_names() {
    let all = headers(&[("cookie", b"zookie=c"), ("zookie", b"h")]);
    let sources: Vec<Source> = found(&all, "/?token=q").iter().map(|found| found.0).collect();
    assert_eq!(sources, [Source::Header, Source::Cookie, Source::Query]);
    assert!(Source::Header.is_explicit() && Source::Query.is_explicit() && !Source::Cookie.is_explicit());
}

#[test]
fn an_empty_or_undecodable_token_is_still_a_token() {
    assert_eq!(found(&headers(&[("zookie", b"a\xff")]), "/"), [(Source::Header, None)]);
    assert_eq!(found(&headers(&[("zookie", b"")]), "/"), some(Source::Header, &[""]));
    for bad in [&b"zookie=\xff"[..], b"a=b; zookie=%ff"] {
        assert_eq!(found(&headers(&[("cookie", bad)]), "/"), [(Source::Cookie, None)]);
    }
    assert_eq!(
        found(&headers(&[("cookie", b"zookie=")]), "/"),
        some(Source::Cookie, &[""])
    );
    for uri in ["/?zookie", "/?a=b&zookie=", "/?zookie="] {
        assert_eq!(found(&HeaderMap::new(), uri), some(Source::Query, &[""]));
    }
    let undecodable = found(&HeaderMap::new(), "/?zookie=%ff");
    assert!(Zookie::new(undecodable[0].1.as_ref().unwrap(), 100).is_err());
}

#[test]
fn tokens_are_counted_over_all_places() {
    let full = headers(&[("zookie", b"1,2,3"), ("cookie", b"zookie=4; zookie=5; zookie=6")]);
    assert_eq!(found(&full, "/?token=7&token=8").len(), 8);
    let error = found_in(&Carriers::default(), &full, "/?token=7&token=8&token=9").unwrap_err();
    assert_eq!(error.kind(), &TokenErrorKind::TooManyTokens { max: 8 });
    assert!(error.to_string().contains("more zookies than the limit of 8"));
    let two = Carriers::default().max_tokens(2);
    assert!(found_in(&two, &full, "/").is_err());
}

#[test]
fn places_are_checked() {
    let header = |name| Carrier::Header(HeaderName::from_static(name));
    let (cookie, query) = (Carrier::Cookie("c".into()), Carrier::Query("q".into()));
    let good = [
        header("x-zookie"),
        cookie.clone(),
        query.clone(),
        Carrier::Query("c".into()),
    ];
    assert_eq!(Carriers::new(good.clone()).unwrap().places(), good);
    assert!(Carriers::new([]).unwrap().places().is_empty());
    for (bad, error) in [
        (
            vec![Carrier::Cookie(String::new())],
            InvalidCarrier::CookieName(String::new()),
        ),
        (
            vec![Carrier::Cookie("a b".into())],
            InvalidCarrier::CookieName("a b".into()),
        ),
        (vec![Carrier::Query(String::new())], InvalidCarrier::EmptyQueryName),
        (
            vec![cookie.clone(), query, cookie.clone()],
            InvalidCarrier::Repeated(cookie),
        ),
    ] {
        assert_eq!(Carriers::new(bad).unwrap_err(), error);
    }
}

#[test]
fn rule_17_a_header_with_a_meaning_of_its_own_carries_no_zookies() {
    for name in [
        "zookie-consistency",
        "authorization",
        "proxy-authorization",
        "host",
        "content-type",
        "content-length",
        "cookie",
        "set-cookie",
        "cache-control",
        "cache-status",
        "accept",
        "accept-language",
        "access-control-allow-origin",
        "grpc-timeout",
        "grpc-status",
        "te",
        "etag",
        "if-match",
        "origin",
        "vary",
        "x-forwarded-host",
        "x-original-url",
        "x-http-method-override",
        "x-method-override",
    ] {
        let carrier = Carrier::Header(HeaderName::from_static(name));
        let error = Carriers::new([carrier]).unwrap_err().to_string();
        let expected = format!(
            "the header `{name}` already has another meaning; use a header of its own for zookies, such as `zookie`"
        );
        assert_eq!(error, expected);
    }
    let binary = Carrier::Header(HeaderName::from_static("zookie-bin"));
    assert_eq!(
        Carriers::new([binary]).unwrap_err().to_string(),
        "gRPC encodes the values of headers that end with `-bin`, such as `zookie-bin`; use another name, such as `zookie`"
    );
    for name in ["x-zookie", "zedtoken", "x-revision"] {
        assert!(
            Carriers::new([Carrier::Header(HeaderName::from_static(name))]).is_ok(),
            "{name}"
        );
    }
}

#[test]
fn stripping_leaves_everything_else_unmodified() {
    let mut map = headers(&[
        ("zookie", b"a"),
        ("zookie", b"b"),
        ("accept", b"*/*"),
        ("cookie", b"zookie=1;  a=%41; zookie=2;b=\"\xff\" ; zookie=3"),
        ("cookie", b"zookie=4"),
        ("cookie", b" c=d ;"),
    ]);
    let mut uri = Uri::from_static("https://example.com:8443/a%2Fb?zookie=1&x=+%20&&t%6Fken=2&y");
    let carriers = Carriers::default();
    carriers.strip(&mut map, &mut uri);
    assert_eq!(uri, "https://example.com:8443/a%2Fb?x=+%20&&y");
    assert_eq!(lines(&map, header::COOKIE), [&b"a=%41;b=\"\xff\""[..], b" c=d ;"]);
    assert_eq!(map.len(), 3);
    assert_eq!(found(&map, &uri.to_string()), []);

    let mut alone = Uri::from_static("/p?token=x");
    carriers.strip(&mut HeaderMap::new(), &mut alone);
    assert_eq!(alone, "/p");
    let mut bare = Uri::from_static("http://example.com?token=x&a=b");
    carriers.strip(&mut HeaderMap::new(), &mut bare);
    assert_eq!(bare, "http://example.com/?a=b");
    for same in ["/p?", "/p?a&&b=c+d&", "*", "example.com:443", "http://example.com"] {
        let mut uri: Uri = same.parse().unwrap();
        let before = uri.clone();
        carriers.strip(&mut HeaderMap::new(), &mut uri);
        assert_eq!(uri, before);
    }
}

#[test]
fn a_sensitive_line_stays_sensitive() {
    let mut line = HeaderValue::from_static("a=b; zookie=c");
    line.set_sensitive(true);
    let mut map = HeaderMap::from_iter([(header::COOKIE, line)]);
    Carriers::default().strip(&mut map, &mut Uri::default());
    assert_eq!(map[header::COOKIE], "a=b");
    assert!(map[header::COOKIE].is_sensitive());
}

#[test]
fn replacing_leaves_one_zookie_in_the_first_place() {
    let full = headers(&[("zookie", b"a"), ("cookie", b"x=y; zookie=b")]);
    for (first, source) in [
        (Carrier::Header(HeaderName::from_static("zookie")), Source::Header),
        (Carrier::Cookie("zookie".into()), Source::Cookie),
        (Carrier::Query("zookie".into()), Source::Query),
    ] {
        let rest = Carriers::default()
            .places()
            .iter()
            .filter(|place| **place != first)
            .cloned()
            .collect::<Vec<_>>();
        let carriers = Carriers::new([first].into_iter().chain(rest)).unwrap();
        let (mut map, mut uri) = (full.clone(), Uri::from_static("/?token=c&z=1"));
        carriers.replace(&mut map, &mut uri, &zookie("n+/=")).unwrap();
        assert_eq!(
            found_in(&carriers, &map, &uri.to_string()).unwrap(),
            some(source, &["n+/="])
        );
        assert_eq!(lines(&map, header::COOKIE)[0], b"x=y");
        assert!(uri.query().unwrap().starts_with("z=1"));
    }
    let (mut map, mut uri) = (full.clone(), Uri::from_static("/"));
    Carriers::new([])
        .unwrap()
        .replace(&mut map, &mut uri, &zookie("n"))
        .unwrap();
    assert_eq!((map, uri), (full, Uri::from_static("/")));
}

#[test]
fn a_zookie_that_does_not_fit_is_an_error() {
    let carriers = Carriers::new([Carrier::Query("zookie".into())]).unwrap();
    for full in [format!("/{}", "a".repeat(65_500)), "example.com:443".to_owned()] {
        let mut uri: Uri = full.parse().unwrap();
        assert!(
            carriers
                .replace(&mut HeaderMap::new(), &mut uri, &zookie(&"a".repeat(100)))
                .is_err(),
            "{full}"
        );
        assert_eq!(uri.to_string(), full);
    }
}

#[test]
fn a_reply_has_the_zookie_in_its_headers() {
    let mut map = headers(&[("zookie", b"old"), ("zookie", b"older")]);
    Carriers::default().set_headers(&mut map, &zookie("new"));
    assert_eq!(lines(&map, HeaderName::from_static("zookie")), [b"new"]);
    assert_eq!(map.len(), 1);
}

#[test]
fn a_reply_sets_the_cookie_beside_others() {
    let mut map = headers(&[("set-cookie", b"session=1")]);
    let carriers = Carriers::default();
    carriers.set_cookies(&mut map, &[zookie("a+/=")]).unwrap();
    carriers
        .clone()
        .secure(true)
        .max_age(Duration::from_millis(3_600_999))
        .set_cookies(&mut map, &[zookie("b")])
        .unwrap();
    let set = lines(&map, header::SET_COOKIE);
    assert_eq!(set[0], b"session=1");
    assert_eq!(set[1], b"zookie=a+%2F%3D; HttpOnly; SameSite=Lax; Path=/");
    assert_eq!(
        set[2],
        b"zookie=b; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=3600"
    );

    let host = Carriers::new([Carrier::Cookie("__Host-zookie".into())]).unwrap();
    let mut map = HeaderMap::new();
    host.set_cookies(&mut map, &[zookie("a")]).unwrap();
    assert!(map[header::SET_COOKIE].to_str().unwrap().contains("; Secure"));
    host.max_age(Duration::MAX)
        .set_cookies(&mut map, &[zookie("a")])
        .unwrap();
}

#[test]
fn a_cookie_too_long_for_browsers_is_not_set() {
    let mut map = HeaderMap::new();
    let fits = "a".repeat(4096 - "zookie=".len());
    Carriers::default().set_cookies(&mut map, &[zookie(&fits)]).unwrap();
    let error = Carriers::default()
        .set_cookies(&mut map, &[zookie(&format!("{fits}a"))])
        .unwrap_err();
    assert_eq!(error.kind(), &TokenErrorKind::TooLong { len: 4097, max: 4096 });
    assert_eq!(map.len(), 1);
}

#[test]
fn distinguishes_zookies_from_other_cookies() {
    let carriers = Carriers::default();
    let line = HeaderValue::from_bytes(b" a=%41 ;zookie=1;; b; zookie = 2; c=\xff").unwrap();
    let others: Vec<&[u8]> = carriers.cookies_without(&line).collect();
    assert_eq!(others, [&b"a=%41"[..], b"b", b"c=\xff"]);
    assert!(carriers.is_query_carrier("zookie") && carriers.is_query_carrier("token"));
    assert!(!carriers.is_query_carrier("Zookie") && !carriers.is_query_carrier(""));
}

proptest! {
    #[test]
    fn any_zookie_reads_back_from_every_place(text in "[a-zA-Z0-9+/=_.:~-]{1,60}") {
        let (carriers, zookie) = (Carriers::default(), zookie(&text));
        let mut reply = HeaderMap::new();
        carriers.set_cookies(&mut reply, std::slice::from_ref(&zookie)).unwrap();
        let set = reply[header::SET_COOKIE].as_bytes().split(|byte| *byte == b';').next().unwrap();
        prop_assert_eq!(found(&headers(&[("cookie", set)]), "/"), some(Source::Cookie, &[&text]));

        let (mut map, mut uri) = (HeaderMap::new(), Uri::from_static("/"));
        let query = Carriers::new([Carrier::Query("token".into())]).unwrap();
        query.replace(&mut map, &mut uri, &zookie).unwrap();
        prop_assert_eq!(found(&map, &uri.to_string()), some(Source::Query, &[&text]));
        prop_assert_eq!(found(&map, &format!("/?token={text}")), some(Source::Query, &[&text]));

        carriers.replace(&mut map, &mut uri, &zookie).unwrap();
        prop_assert_eq!(found(&map, &uri.to_string()), some(Source::Header, &[&text]));
    }

    #[test]
    fn no_input_panics_and_stripping_removes_all_tokens(
        cookie in "[ -~]{0,40}",
        value: Vec<u8>,
        query in "([ab=&+]|zookie|token|%6F|%ff|%){0,12}",
    ) {
        let carriers = Carriers::default().max_tokens(usize::MAX);
        let mut map = HeaderMap::new();
        for (name, bytes) in [(header::COOKIE, cookie.as_bytes()), (header::COOKIE, &value), (HeaderName::from_static("zookie"), &value)] {
            if let Ok(line) = HeaderValue::from_bytes(bytes) {
                map.append(name, line);
            }
        }
        let mut uri: Uri = format!("/?{query}").parse().unwrap();
        found_in(&carriers, &map, &uri.to_string()).unwrap();
        carriers.strip(&mut map, &mut uri);
        prop_assert_eq!(found_in(&carriers, &map, &uri.to_string()).unwrap(), []);
    }
}
