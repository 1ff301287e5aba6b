//! Callers that share, and identities that take the place of credentials.

use std::time::Duration;

use http::HeaderName;
use http::header::{ACCEPT, AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION};
use proptest::prelude::*;
use tokio::time::{Instant, advance};
use tower_zookie::consistency::Staleness;
use tower_zookie::{ZookieLayer, ZookieLayerBuilder};
use tower_zookie_testing::model::each;
use tower_zookie_testing::scripted::{Both, Client, Sent, Trouble, Upstream, both, z};

type Builder = ZookieLayerBuilder<Both>;

/// What a layer outside has verified, and until when.
#[derive(Clone)]
struct Claims(Vec<&'static str>, Option<Instant>);

fn claims(subject: &'static str) -> Claims {
    Claims(vec![subject], None)
}

fn identified(instead_of: &[HeaderName]) -> Builder {
    ZookieLayer::builder(both()).identity_instead_of(instead_of.to_vec(), |request, identity| {
        if let Some(Claims(parts, ends)) = request.extensions.get() {
            parts.iter().for_each(|part| identity.identify(part.as_bytes()));
            ends.iter().for_each(|ends| identity.ends_at(ends.into_std()));
        }
    })
}

fn sharing() -> Builder {
    ZookieLayer::builder(both()).callers_share(true)
}

fn jwt(client: &Client, token: &str) -> Sent<Both> {
    client.check("a").header("authorization", &format!("Bearer {token}"))
}

#[tokio::test(start_paused = true)]
async fn rule_10_an_identity_keeps_its_answers_when_its_jwt_is_new() {
    let upstream = Upstream::new();
    let client = Client::of(&upstream, identified(&[AUTHORIZATION]));
    jwt(&client, "1").extension(claims("alice")).send().await;
    assert!(jwt(&client, "2").extension(claims("alice")).send().await.is_hit());
    assert!(client.check("a").extension(claims("alice")).send().await.is_hit());
    let mallory = jwt(&client, "1").extension(claims("mallory")).send().await;
    assert_eq!(mallory.outcome(), "fwd=miss; stored");
}

#[tokio::test(start_paused = true)]
async fn rule_10_without_an_identity_the_credential_is_in_the_key() {
    for nothing in [
        None,
        Some(Claims(vec![], None)),
        Some(claims("")),
        Some(Claims(vec!["", ""], None)),
    ] {
        let upstream = Upstream::new();
        let client = Client::of(&upstream, identified(&[AUTHORIZATION, COOKIE]));
        let unknown = |token| match nothing.clone() {
            Some(claims) => jwt(&client, token).extension(claims),
            None => jwt(&client, token),
        };
        jwt(&client, "alice").extension(claims("alice")).send().await;
        assert!(!unknown("alice").send().await.is_hit(), "it shares with no identity");
        assert!(unknown("alice").send().await.is_hit());
        assert!(!unknown("mallory").send().await.is_hit());
        assert!(!unknown("alice").header("cookie", "session=1").send().await.is_hit());
    }
}

#[tokio::test(start_paused = true)]
async fn rule_10_an_identity_takes_the_place_of_what_it_names_only() {
    for (name, value, is_replaced) in [
        ("authorization", "Bearer 2", [true, false, true]),
        ("proxy-authorization", "Basic 2", [false, false, true]),
        ("cookie", "session=2", [false, true, true]),
        ("accept", "text/html", [false; 3]),
    ] {
        let all = [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE];
        for (instead_of, is_replaced) in [&all[..1], &all[2..], &all].into_iter().zip(is_replaced) {
            let upstream = Upstream::new();
            let client = Client::of(&upstream, identified(instead_of));
            client.check("a").extension(claims("alice")).send().await;
            let other = client.check("a").extension(claims("alice")).header(name, value);
            assert_eq!(other.send().await.is_hit(), is_replaced, "{name} {instead_of:?}");
        }
    }
    let upstream = Upstream::new();
    let user = HeaderName::from_static("x-user");
    let builder = identified(std::slice::from_ref(&user)).credential_headers([user]);
    let client = Client::of(&upstream, builder);
    let named = |user| client.check("a").header("x-user", user);
    named("1").extension(claims("alice")).send().await;
    assert!(named("2").extension(claims("alice")).send().await.is_hit());
    named("1").send().await;
    assert!(!named("2").send().await.is_hit());
}

#[tokio::test(start_paused = true)]
async fn rule_10_callers_share_where_a_setting_says_so() {
    let upstream = Upstream::new();
    let client = Client::of(&upstream, sharing());
    upstream.grant("a");
    jwt(&client, "alice").send().await;
    for (name, value) in [
        ("authorization", "Bearer mallory"),
        ("proxy-authorization", "Basic mallory"),
        ("cookie", "session=mallory"),
    ] {
        assert!(client.check("a").header(name, value).send().await.is_hit(), "{name}");
    }
    assert!(client.check("a").send().await.is_hit());
    for (name, value) in [("host", "mallory.example"), ("accept", "text/html")] {
        assert!(!client.check("a").header(name, value).send().await.is_hit(), "{name}");
    }
    assert!(!client.check("b").send().await.is_hit());
}

#[tokio::test(start_paused = true)]
async fn rule_08_shared_answers_still_honour_each_callers_token() {
    let upstream = Upstream::new();
    let client = Client::of(&upstream, sharing());
    jwt(&client, "alice").send().await;
    upstream.grant("a");
    let written = jwt(&client, "bob").zookie(2).send().await;
    assert_eq!((written.is_hit(), written.allowed()), (false, true));
    // A forged token of one caller raises only its own floor.
    jwt(&client, "mallory").zookie(1_000_000).send().await;
    assert!(jwt(&client, "alice").send().await.is_hit());
}

/// The caller that leads a call gets the service's own reply, and others ask for themselves.
#[tokio::test(start_paused = true)]
async fn rule_11_a_rejected_credential_is_its_callers_alone() {
    for builder in [sharing(), identified(&[AUTHORIZATION])] {
        let upstream = Upstream::new();
        let client = Client::of(&upstream, builder);
        let who = |token| jwt(&client, token).extension(claims("alice"));
        upstream.trouble(Trouble::Unauthorized("Bearer right"));
        upstream.hold();
        let wrong = who("wrong").spawn();
        tokio::time::sleep(Duration::from_millis(1)).await;
        let right = who("right").spawn();
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(upstream.calls(), 1, "they share the call");
        upstream.release();
        assert_eq!(wrong.await.unwrap().unwrap().status, 401);
        let right = right.await.unwrap().unwrap();
        assert_eq!((right.status.as_u16(), right.is_hit()), (200, false));
        who("right").send().await;
        assert!(who("right").send().await.is_hit());
        assert!(who("wrong").send().await.is_hit(), "authentication happens outside");
    }
}

/// How many calls are under way when `callers` ask the same questions, three calls being allowed for one credential.
async fn calls_of(builder: Builder, callers: impl Fn(&Client, usize) -> Sent<Both>) -> usize {
    let upstream = Upstream::new();
    let capped = builder.cache(|cache| {
        cache
            .max_flights(100, 3)
            .window(Duration::from_secs(5), Staleness::percent(0))
    });
    let client = Client::of(&upstream, capped);
    upstream.hold();
    let waiting: Vec<_> = (0..10).map(|nth| callers(&client, nth).spawn()).collect();
    tokio::time::sleep(Duration::from_millis(1)).await;
    let again: Vec<_> = (0..10).map(|nth| callers(&client, nth).spawn()).collect();
    tokio::time::sleep(Duration::from_millis(1)).await;
    let calls = upstream.calls();
    upstream.release();
    for reply in waiting.into_iter().chain(again) {
        assert_eq!(reply.await.unwrap().unwrap().status, 200);
    }
    calls
}

#[tokio::test(start_paused = true)]
async fn rule_15_the_caps_count_each_credential_or_identity() {
    let question = |client: &Client, nth: usize| client.check(&format!("q{nth}"));
    // Three questions have flights that the second round joins; the others are asked each time.
    let capped = 3 + 2 * 7;
    let each_its_own =
        |client: &Client, nth: usize| question(client, nth).header("authorization", &format!("Bearer {nth}"));
    let one_for_all = |client: &Client, nth: usize| question(client, nth).header("authorization", "Bearer 1");
    assert_eq!(calls_of(sharing(), one_for_all).await, capped);
    assert_eq!(calls_of(sharing(), each_its_own).await, 10);
    let one_identity = |client: &Client, nth: usize| each_its_own(client, nth).extension(claims("alice"));
    assert_eq!(calls_of(identified(&[AUTHORIZATION]), one_identity).await, capped);
    assert_eq!(calls_of(identified(&[AUTHORIZATION]), each_its_own).await, 10);
}

#[tokio::test(start_paused = true)]
async fn rule_12_an_identitys_answers_end_with_the_credential_they_were_given_under() {
    let upstream = Upstream::new();
    let client = Client::of(&upstream, identified(&[AUTHORIZATION]));
    let until = |secs| Claims(vec!["alice"], Some(Instant::now() + Duration::from_secs(secs)));
    let (first, second) = (until(2), until(4));
    jwt(&client, "1").extension(first.clone()).send().await;
    advance(Duration::from_millis(1999)).await;
    assert!(jwt(&client, "2").extension(second.clone()).send().await.is_hit());
    advance(Duration::from_millis(1)).await;
    let renewed = jwt(&client, "2").extension(second.clone()).send().await;
    assert_eq!(renewed.outcome(), "fwd=stale; stored");
    let ended = jwt(&client, "1").extension(first).zookie(1).send().await;
    assert_eq!(ended.outcome(), "fwd=bypass", "{}", ended.cache_status());
    assert_eq!(upstream.last().header("zookie"), Some(&*z(1)));
    assert!(jwt(&client, "2").extension(second).send().await.is_hit());
}

#[test]
fn rule_17_settings_of_callers_that_contradict_each_other_are_named() {
    let user = || HeaderName::from_static("x-user");
    for (builder, message) in [
        (
            sharing().credential_headers([user()]),
            "callers_share is on, but `credential_headers` tells callers apart; leave out one of them",
        ),
        (
            sharing().credentials(|_, _| {}),
            "callers_share is on, but `credentials` tells callers apart; leave out one of them",
        ),
        (
            sharing().identity_instead_of([AUTHORIZATION], |_, _| {}),
            "callers_share is on, but `identity_instead_of` tells callers apart; leave out one of them",
        ),
        (
            identified(&[]),
            "identity_instead_of takes the place of no header; name one, such as `authorization`, or use `credentials`",
        ),
        (
            identified(&[AUTHORIZATION, ACCEPT]),
            "identity_instead_of names the header `accept`, which is no credential; \
             name `authorization`, `proxy-authorization`, `cookie`, or one of `credential_headers`",
        ),
    ] {
        assert_eq!(builder.build().unwrap_err().to_string(), message);
    }
}

/// Where a request says who sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Caller {
    authorization: Option<&'static str>,
    proxy: Option<&'static str>,
    cookie: Option<&'static str>,
    user: Option<&'static str>,
    identity: Option<Vec<&'static str>>,
    forwarded: Option<&'static str>,
}

fn caller() -> impl Strategy<Value = Caller> {
    let value = || prop::option::of(prop::sample::select(vec!["", "a", "b"]));
    let parts = prop::collection::vec(prop::sample::select(vec!["", "a", "b", "ab"]), 0..3);
    (value(), value(), value(), value(), prop::option::of(parts), value()).prop_map(
        |(authorization, proxy, cookie, user, identity, forwarded)| Caller {
            authorization,
            proxy,
            cookie: cookie.filter(|cookie| !cookie.is_empty()),
            user,
            identity,
            forwarded,
        },
    )
}

#[derive(Clone, Copy, Debug)]
enum Mode {
    Default,
    Share,
    Identity { cookies: bool, user: bool },
}

impl Mode {
    fn builder(self) -> Builder {
        let user = HeaderName::from_static("x-user");
        match self {
            Self::Default => ZookieLayer::builder(both()).credential_headers([user]),
            Self::Share => sharing().key_headers([user]),
            Self::Identity { cookies, user: is_user } => {
                let mut instead_of = vec![AUTHORIZATION];
                instead_of.extend(cookies.then_some(COOKIE));
                instead_of.extend(is_user.then(|| user.clone()));
                identified(&instead_of).credential_headers([user])
            }
        }
    }

    /// What of a caller has to be equal for two of them to share.
    fn counts(self, caller: &Caller) -> Caller {
        let mut counts = caller.clone();
        match self {
            Self::Default => counts.identity = None,
            Self::Share => {
                (counts.authorization, counts.proxy, counts.cookie, counts.identity) = (None, None, None, None);
            }
            Self::Identity { cookies, user } => {
                let is_known = caller.identity.iter().flatten().any(|part| !part.is_empty());
                if is_known {
                    counts.authorization = None;
                    counts.cookie = counts.cookie.filter(|_| !cookies);
                    counts.user = counts.user.filter(|_| !user);
                }
                counts.identity = counts.identity.filter(|parts| !parts.is_empty());
            }
        }
        counts
    }
}

fn send(client: &Client, caller: &Caller) -> Sent<Both> {
    let mut check = client.check("a");
    for (name, value) in [
        ("authorization", caller.authorization),
        ("proxy-authorization", caller.proxy),
        ("cookie", caller.cookie),
        ("x-user", caller.user),
        ("x-forwarded-host", caller.forwarded),
    ] {
        if let Some(value) = value {
            check = check.header(name, value);
        }
    }
    match &caller.identity {
        Some(parts) => check.extension(Claims(parts.clone(), None)),
        None => check,
    }
}

#[test]
fn rule_10_two_callers_share_only_what_the_settings_allow() {
    let flag = any::<bool>;
    let mode = prop_oneof![
        Just(Mode::Default),
        Just(Mode::Share),
        (flag(), flag()).prop_map(|(cookies, user)| Mode::Identity { cookies, user }),
    ];
    let inputs = (mode, prop::collection::vec(caller(), 2..6));
    each("callers share", 300, &inputs, async |(mode, callers)| {
        let upstream = Upstream::new();
        let client = Client::of(&upstream, mode.builder());
        for (nth, caller) in callers.iter().enumerate() {
            let known = callers[..nth]
                .iter()
                .any(|other| mode.counts(other) == mode.counts(caller));
            prop_assert_eq!(
                send(&client, caller).send().await.is_hit(),
                known,
                "{:?} {:?}",
                mode,
                caller
            );
        }
        Ok(())
    });
}
