//! Bulks: stored answers are served, and only the other items are asked.

use std::time::Duration;

use http::Request;
use http_body_util::{BodyExt, Full};
use proptest::prelude::*;
use serde_json::Value;
use tokio::time::advance;
use tower::Service;
use tower_zookie::ZookieLayer;
use tower_zookie::cache::Capabilities;
use tower_zookie::protocol::AuthZen;
use tower_zookie::token::InferaDb;
use tower_zookie_testing::model::paused;
use tower_zookie_testing::scripted::{Client, Reply, Trouble, Upstream, bulk_body, z};

/// The resources that the last upstream call asked for.
fn asked(upstream: &Upstream) -> Vec<String> {
    let body: Value = serde_json::from_slice(&upstream.last().body).unwrap();
    let evaluations = body["evaluations"].as_array().unwrap();
    evaluations
        .iter()
        .map(|one| one["resource"]["id"].as_str().unwrap().to_owned())
        .collect()
}

fn detail(reply: &Reply) -> &str {
    reply.cache_status().split("detail=").nth(1).unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn rule_16_missing_items_are_asked_at_the_others_revision() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    upstream.grant("b");
    assert_eq!(client.bulk(&["b", "d"], None).send().await.decisions(), [true, false]);
    upstream.grant("a");
    upstream.grant("d");
    let reply = client
        .bulk(&["a", "b", "c", "d", "b", "a"], None)
        .header("x-request-id", "7")
        .send()
        .await;
    assert_eq!(
        reply.decisions(),
        [false, true, false, false, true, false],
        "all at revision 2"
    );
    assert_eq!((reply.revision(), reply.outcome()), (2, "fwd=miss; stored"));
    assert_eq!(detail(&reply), "\"first: 3 of 6 from the cache\"");
    assert_eq!(reply.header("x-request-id"), Some("7"));
    assert_eq!(asked(&upstream), ["a", "c", "a"]);
    assert_eq!(upstream.last().header("zookie-consistency"), Some("at-exact-snapshot"));
    assert_eq!(upstream.last().header("zookie"), Some(&*z(2)));
    let reply = client
        .bulk(&["d", "c", "b", "a"], None)
        .zookie(2)
        .consistency("at-exact-snapshot")
        .send()
        .await;
    assert_eq!(
        (reply.outcome(), reply.decisions()),
        ("hit", vec![false, false, true, false])
    );
}

#[tokio::test(start_paused = true)]
async fn a_whole_bulk_from_the_cache_is_a_hit() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    client.bulk(&["a", "b"], None).send().await;
    let reply = client.bulk(&["b", "a", "b"], None).send().await;
    assert_eq!(
        (reply.outcome(), reply.revision(), reply.decisions().len()),
        ("hit", 1, 3)
    );
    assert_eq!(reply.header("server"), None);
}

#[tokio::test(start_paused = true)]
async fn rule_16_items_of_mixed_revisions_are_asked_again() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    client.bulk(&["a", "b"], None).send().await;
    upstream.grant("c");
    client.bulk(&["c"], None).zookie(2).send().await;
    let reply = client.bulk(&["a", "b", "c"], None).send().await;
    assert_eq!((reply.revision(), reply.decisions()), (1, vec![false, false, false]));
    assert_eq!(asked(&upstream), ["c"]);
    let reply = client.bulk(&["a", "b", "c"], None).zookie(2).send().await;
    assert_eq!((reply.revision(), reply.decisions()), (2, vec![false, false, true]));
}

#[tokio::test(start_paused = true)]
async fn short_circuits_ask_only_what_they_need() {
    let upstream = Upstream::new();
    upstream.grant("yes");
    let client = Client::new(&upstream);
    client.bulk(&["yes", "no"], None).send().await;
    let calls = upstream.calls();
    for (resources, semantic, decisions) in [
        (["yes", "no", "unknown"], "deny_on_first_deny", vec![true, false]),
        (["no", "yes", "unknown"], "permit_on_first_permit", vec![false, true]),
    ] {
        let reply = client.bulk(&resources, Some(semantic)).send().await;
        assert_eq!((reply.decisions(), reply.outcome()), (decisions, "hit"));
    }
    assert_eq!(upstream.calls(), calls);
    let reply = client
        .bulk(&["yes", "new", "no", "later"], Some("deny_on_first_deny"))
        .send()
        .await;
    assert_eq!(reply.decisions(), [true, false]);
    assert_eq!(asked(&upstream), ["new"], "nothing after the known denial is needed");
    let reply = client
        .bulk(&["fresh", "yes", "fresh2"], Some("deny_on_first_deny"))
        .send()
        .await;
    assert_eq!(reply.decisions(), [false]);
    assert_eq!(asked(&upstream), ["fresh", "fresh2"]);
}

#[tokio::test(start_paused = true)]
async fn rule_11_an_items_error_is_not_stored() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    for _ in 0..2 {
        let reply = client.bulk(&["a", "bad"], None).send().await;
        assert_eq!(reply.json()["evaluations"][1]["context"]["error"]["status"], 404);
    }
    assert_eq!(asked(&upstream), ["bad"]);
}

#[tokio::test(start_paused = true)]
async fn rule_16_unrepeatable_bulks_are_asked_whole() {
    let upstream = Upstream::new();
    let capabilities = Capabilities::versioned().reads_repeat(false);
    let api = AuthZen::new(InferaDb::new("test")).capabilities(capabilities);
    let client = Client::of(&upstream, ZookieLayer::builder(api));
    client.bulk(&["a"], None).send().await;
    client.bulk(&["b", "c"], None).send().await;
    for _ in 0..2 {
        client.bulk(&["a", "b"], None).send().await;
        assert_eq!(asked(&upstream), ["a", "b"]);
    }
    assert_eq!(upstream.calls(), 4);
}

#[tokio::test(start_paused = true)]
async fn rule_16_mixed_replies_say_so_with_the_lowest_revision() {
    let upstream = Upstream::new();
    let client = Client::with(&upstream, |builder| builder.mix_revisions(true));
    client.bulk(&["a", "b"], None).send().await;
    upstream.grant("c");
    client.bulk(&["c"], None).zookie(2).send().await;
    let reply = client.bulk(&["a", "c"], None).send().await;
    assert_eq!(reply.cache_status(), "tower-zookie; hit; detail=\"mixed\"");
    assert_eq!((reply.decisions(), reply.revision()), (vec![false, true], 1));
    let reply = client.bulk(&["a", "b"], None).send().await;
    assert_eq!(reply.cache_status(), "tower-zookie; hit", "these hold at one revision");
    let reply = client.bulk(&["a", "d"], None).send().await;
    assert_eq!(detail(&reply), "\"first: mixed, 1 of 2 from the cache\"");
    assert_eq!(asked(&upstream), ["d"]);
}

#[tokio::test(start_paused = true)]
async fn an_expired_snapshot_costs_one_more_call_for_the_bulk() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    client.bulk(&["a", "b"], None).send().await;
    upstream.grant("b");
    upstream.collect(2);
    let reply = client.bulk(&["a", "b", "c"], None).send().await;
    assert_eq!((reply.revision(), reply.decisions()), (2, vec![false, true, false]));
    assert_eq!(asked(&upstream), ["a", "b", "c"]);
    assert_eq!(upstream.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_upstream_error_for_the_bulk_is_forwarded() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    client.bulk(&["a"], None).send().await;
    upstream.trouble(Trouble::Status(http::StatusCode::SERVICE_UNAVAILABLE));
    let reply = client.bulk(&["a", "b"], None).send().await;
    assert_eq!((reply.status.as_u16(), &*reply.body), (503, &b"no"[..]));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
}

#[tokio::test(start_paused = true)]
async fn two_of_the_same_bulk_share_a_call() {
    let upstream = Upstream::new();
    upstream.grant("a");
    let client = Client::new(&upstream);
    upstream.hold();
    let (first, second) = (
        client.bulk(&["a", "b"], None).spawn(),
        client.bulk(&["a", "b"], None).spawn(),
    );
    let other = client.bulk(&["b", "a"], None).spawn();
    tokio::task::yield_now().await;
    upstream.release();
    assert_eq!(first.await.unwrap().unwrap().outcome(), "fwd=miss; stored");
    let reply = second.await.unwrap().unwrap();
    assert_eq!(
        (reply.outcome(), reply.decisions(), reply.revision()),
        ("fwd=miss; collapsed", vec![true, false], 2)
    );
    assert_eq!(other.await.unwrap().unwrap().decisions(), [false, true]);
    assert_eq!(upstream.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn rule_16_answers_of_another_revision_are_not_merged() {
    let upstream = Upstream::new();
    upstream.disobey();
    let client = Client::new(&upstream);
    client.bulk(&["a"], None).send().await;
    upstream.grant("a");
    upstream.grant("b");
    let reply = client.bulk(&["a", "b"], None).send().await;
    assert_eq!((reply.revision(), reply.decisions()), (3, vec![true, true]));
    assert_eq!(asked(&upstream), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn rule_16_answers_of_a_replaced_store_are_not_merged() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    client.bulk(&["a"], None).send().await;
    let body = Full::from(bulk_body(&["a", "b"], None).to_string()).boxed_unsync();
    let request = Request::post("/access/v1/evaluations").header("content-type", "application/json");
    // The layer finds `a` now, and asks for `b` when the future is polled.
    let reply = client.service.clone().call(request.body(body).unwrap());
    client.layer.handle().purge();
    client.bulk(&["c"], None).send().await;
    assert_eq!(reply.await.unwrap().status(), http::StatusCode::OK);
    assert_eq!(asked(&upstream), ["a", "b"]);
}

#[derive(Clone, Debug)]
enum Op {
    Grant(usize),
    Revoke(usize),
    Check(usize),
    Pin(u64),
    Unpin,
    Pass(u64),
    Collect(u64),
    Bulk {
        resources: Vec<usize>,
        semantic: Option<&'static str>,
        floor: Option<u64>,
        consistency: Option<&'static str>,
    },
}

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "bad"];

fn op() -> impl Strategy<Value = Op> {
    let name = || 0..NAMES.len();
    let semantics = [
        None,
        Some("execute_all"),
        Some("deny_on_first_deny"),
        Some("permit_on_first_permit"),
    ];
    let consistencies = [
        None,
        None,
        Some("at-exact-snapshot"),
        Some("fully-consistent"),
        Some("bounded-staleness=1s"),
    ];
    let bulk = (
        prop::collection::vec(name(), 1..7),
        prop::sample::select(semantics.to_vec()),
        prop::option::of(0u64..6),
        prop::sample::select(consistencies.to_vec()),
    );
    prop_oneof![
        2 => name().prop_map(Op::Grant),
        2 => name().prop_map(Op::Revoke),
        3 => name().prop_map(Op::Check),
        1 => (0u64..4).prop_map(Op::Pin),
        1 => Just(Op::Unpin),
        1 => (0u64..6000).prop_map(Op::Pass),
        1 => (0u64..4).prop_map(Op::Collect),
        6 => bulk.prop_map(|(resources, semantic, floor, consistency)| Op::Bulk { resources, semantic, floor, consistency }),
    ]
}

/// Sends everything, and compares each reply with the upstream's own to the whole bulk at the reply's revision.
async fn run(ops: Vec<Op>) -> Result<(), TestCaseError> {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    let mut oldest = 1;
    let back = |head: u64, steps: u64, oldest: u64| head.saturating_sub(steps).max(oldest);
    for op in ops {
        let head = upstream.head();
        match op {
            Op::Grant(name) => drop(upstream.grant(NAMES[name])),
            Op::Revoke(name) => drop(upstream.revoke(NAMES[name])),
            Op::Check(name) => drop(client.bulk(&[NAMES[name]], None).send().await),
            Op::Pin(steps) => upstream.pin(Some(back(head, steps, oldest))),
            Op::Unpin => upstream.pin(None),
            Op::Pass(millis) => advance(Duration::from_millis(millis)).await,
            Op::Collect(steps) => {
                oldest = back(head, steps, oldest);
                upstream.pin(None);
                upstream.collect(oldest);
            }
            Op::Bulk {
                resources,
                semantic,
                floor,
                consistency,
            } => {
                let names: Vec<_> = resources.iter().map(|name| NAMES[*name]).collect();
                let body = bulk_body(&names, semantic);
                let mut request = client.bulk(&names, semantic);
                let floor = floor.map(|steps| back(head, steps, 1));
                if let Some(floor) = floor {
                    request = request.zookie(floor);
                }
                if let Some(consistency) = consistency {
                    request = request.consistency(consistency);
                }
                let reply = request.send().await;
                if reply.status != 200 {
                    let expired = floor.is_some_and(|floor| floor < oldest) || floor.is_none();
                    prop_assert!(expired && consistency == Some("at-exact-snapshot"), "{:?}", reply);
                    continue;
                }
                let revision = reply.revision();
                match (consistency, floor) {
                    (Some("at-exact-snapshot"), Some(floor)) => prop_assert_eq!(revision, floor),
                    (Some("fully-consistent"), _) => prop_assert_eq!(revision, head),
                    (_, Some(floor)) => prop_assert!(revision >= floor, "{} < {}", revision, floor),
                    _ => {}
                }
                if revision >= oldest {
                    prop_assert_eq!(reply.json(), upstream.bulk_at(&body, revision));
                }
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn rule_16_a_merged_bulk_is_the_upstreams_own_reply(ops in prop::collection::vec(op(), 1..40)) {
        paused(run(ops))?;
    }
}
