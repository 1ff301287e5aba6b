//! Three nodes of a group, each behind a layer of its own.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use gateway::layer::{self, Api};
use gateway::service::{self, Zookies};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::time::Instant;
use tower::{Layer, ServiceExt};
use tower_zookie::consistency::Staleness;
use tower_zookie::store::Schema;
use tower_zookie::store::node::{Network, Node};
use tower_zookie::token::{RevisionToken, Signing, SigningKey};
use tower_zookie::{ZookieLayer, ZookieService};

const DELAY: Duration = Duration::from_millis(200);
const CHECK: &str = "/check?resource=doc:plan&permission=view&subject=user:alice";

struct Region {
    bare: Router,
    service: ZookieService<Router, Api>,
    node: Arc<Node>,
    layer: ZookieLayer<Api>,
}

impl Region {
    async fn new(network: &Network, name: &str, zookies: &Zookies) -> Self {
        let schema = "definition user {} definition doc { relation reader: user permission view = reader }";
        let schema = Schema::parse(schema).unwrap();
        let node = Arc::new(Node::builder(name).start(schema, network.link(name)).await.unwrap());
        let settings = layer::Settings {
            window: Duration::from_secs(5),
            staleness: Staleness::percent(10),
        };
        let layer = layer::build_for(&Arc::clone(&node).into(), settings, zookies).unwrap();
        layer::follow(&layer, Arc::clone(&node));
        let gateway = service::Gateway::new(Arc::clone(&node), Duration::ZERO).zookies(zookies.clone());
        let bare = service::router(gateway);
        Self {
            service: layer.layer(bare.clone()),
            bare,
            layer,
            node,
        }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.service.clone().oneshot(request).await.unwrap().into_parts();
        let header = |name: &str| {
            parts
                .headers
                .get(name)
                .map_or("", |value| value.to_str().unwrap())
                .to_owned()
        };
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            cache_status: header("cache-status"),
            retry_after: header("retry-after"),
            body: serde_json::from_slice(&body).unwrap_or_default(),
        }
    }

    fn calls(&self) -> u64 {
        self.layer.handle().stats().upstream_calls
    }

    async fn check(&self, zookies: &[&str]) -> Answer {
        let request = zookies
            .iter()
            .fold(Request::get(CHECK), |request, zookie| request.header("zookie", *zookie));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// Writes with a zookie, and gives that of the reply.
    async fn write(&self, operation: &str, subject: &str, zookie: Option<&str>) -> String {
        let update = json!({"operation": operation, "resource": "doc:plan", "relation": "reader", "subject": subject});
        let request = zookie.iter().fold(Request::post("/relationships"), |request, zookie| {
            request.header("zookie", *zookie)
        });
        let body = json!({"updates": [update]}).to_string();
        let answer = self.send(request.body(body.into()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        answer.body["zookie"].as_str().unwrap().to_owned()
    }
}

#[derive(Debug)]
struct Answer {
    status: StatusCode,
    cache_status: String,
    retry_after: String,
    body: Value,
}

async fn regions() -> (Network, [Region; 3]) {
    regions_with(Zookies::default()).await
}

async fn regions_with(zookies: Zookies) -> (Network, [Region; 3]) {
    let network = Network::new();
    network.delay(DELAY);
    let [west, east, eu] = ["us-west-1", "us-east-1", "eu-west-1"];
    let regions = [
        Region::new(&network, west, &zookies).await,
        Region::new(&network, east, &zookies).await,
        Region::new(&network, eu, &zookies).await,
    ];
    tokio::time::sleep(DELAY * 2).await;
    (network, regions)
}

#[tokio::test(start_paused = true)]
async fn the_east_waits_for_a_write_in_the_west() {
    let (_network, [west, east, eu]) = regions().await;
    let zookie = west.write("touch", "user:alice", None).await;
    let before = Instant::now();
    let first = east.check(&[&zookie]).await;
    assert_eq!(
        (first.status, &first.body["allowed"]),
        (StatusCode::OK, &json!(true)),
        "{first:?}"
    );
    assert_eq!(before.elapsed(), DELAY);
    // The feed may report the write after the answer to the first one came.
    east.check(&[&zookie]).await;
    let second = east.check(&[&zookie]).await;
    assert!(second.cache_status.starts_with("tower-zookie; hit"), "{second:?}");
    assert_eq!(eu.check(&[&zookie]).await.body["allowed"], true);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_behind_says_when_to_try_again() {
    let (network, [west, east, _]) = regions().await;
    network.cut("us-west-1", "us-east-1");
    let zookie = west.write("touch", "user:alice", None).await;
    let behind = east.check(&[&zookie]).await;
    assert_eq!(
        (behind.status, &*behind.retry_after),
        (StatusCode::SERVICE_UNAVAILABLE, "1"),
        "{behind:?}"
    );
    let detail = behind.body["detail"].as_str().unwrap();
    assert!(detail.contains(west.node.id()), "{detail}");
    // Without a token the east answers as far as it knows.
    let stale = east.check(&[]).await;
    assert_eq!((stale.status, &stale.body["allowed"]), (StatusCode::OK, &json!(false)));
    network.heal_all();
    assert_eq!(east.check(&[&zookie]).await.body["allowed"], true);
}

#[tokio::test(start_paused = true)]
async fn a_write_with_a_zookie_waits_for_what_its_writer_saw() {
    let (_network, [west, east, eu]) = regions().await;
    let granted = west.write("touch", "user:alice", None).await;
    let revoked = east.write("delete", "user:alice", Some(&granted)).await;
    for region in [&west, &east, &eu] {
        assert_eq!(region.check(&[&revoked]).await.body["allowed"], false);
    }
}

#[tokio::test(start_paused = true)]
async fn zookies_of_two_nodes_are_both_floors() {
    let (network, [west, east, eu]) = regions().await;
    network.set_delay("us-east-1", "eu-west-1", DELAY * 4);
    let granted = west.write("touch", "user:alice", None).await;
    let noted = east.write("touch", "user:bob", None).await;
    let before = Instant::now();
    let answer = eu.check(&[&granted, &noted]).await;
    assert_eq!(answer.body["allowed"], true, "{answer:?}");
    assert_eq!(before.elapsed(), DELAY * 4);
}

#[tokio::test(start_paused = true)]
async fn an_answer_serves_another_nodes_floor_only_if_it_covers_it() {
    let (_network, [west, east, _]) = regions().await;
    let here = east.write("touch", "user:bob", None).await;
    assert_eq!(east.check(&[&here]).await.body["allowed"], false);
    assert!(east.check(&[&here]).await.cache_status.contains("; hit"));
    // The numbers of the west are no smaller, but they are of another node.
    let there = west.write("touch", "user:alice", None).await;
    let answer = east.check(&[&there]).await;
    assert_eq!(answer.body["allowed"], true, "{answer:?}");
    assert!(answer.cache_status.contains("fwd="), "{answer:?}");
}

fn key(id: &str) -> SigningKey {
    SigningKey::new(id, [7; 32]).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_signed_zookie_of_the_west_costs_the_east_one_call() {
    let (_network, [west, east, _]) = regions_with(Zookies {
        signing: Some(Signing::new(key("k1"))),
        compact: true,
    })
    .await;
    let zookie = west.write("touch", "user:alice", None).await;
    assert!(Signing::is_signed(&zookie));
    let answer = east.check(&[&zookie]).await;
    assert_eq!(answer.body["allowed"], true, "{answer:?}");
    assert!(Signing::is_signed(answer.body["zookie"].as_str().unwrap()));
    assert_eq!(east.calls(), 1);
    // Without the layer the service reads it, too.
    let request = Request::get(CHECK)
        .header("zookie", &zookie)
        .body(Body::empty())
        .unwrap();
    assert_eq!(
        east.bare.clone().oneshot(request).await.unwrap().status(),
        StatusCode::OK
    );
    let forged = format!("{}A", &zookie[..zookie.len() - 1]);
    for bad in [&*forged, &zookie[..zookie.len() - 4]] {
        let refused = east.check(&[bad]).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{refused:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_snapshot_that_a_caller_made_up_is_not_signed() {
    let zookies = Zookies {
        signing: Some(Signing::new(key("k1"))),
        compact: false,
    };
    let (_network, [west, east, _]) = regions_with(zookies).await;
    let granted = west.write("touch", "user:alice", None).await;
    let revoked = east.write("delete", "user:alice", Some(&granted)).await;
    assert_eq!(west.check(&[&revoked]).await.body["allowed"], false);
    // Everything but the revocation.
    let mut clock: Vec<_> = west
        .node
        .clock()
        .iter()
        .map(|(node, number)| (node.to_owned(), number))
        .collect();
    clock
        .iter_mut()
        .filter(|(node, _)| node == east.node.id())
        .for_each(|(_, number)| *number -= 1);
    let own = west.node.clock().get(west.node.id());
    let made_up = RevisionToken::with_vector_clock(west.node.id(), own, clock).encode();
    for service in [None, Some(&west.bare)] {
        let request = Request::get(CHECK)
            .header("zookie", &made_up)
            .header("zookie-consistency", "at-exact-snapshot");
        let request = request.body(Body::empty()).unwrap();
        let body = match service {
            None => west.send(request).await.body,
            Some(bare) => {
                let reply = bare.clone().oneshot(request).await.unwrap();
                serde_json::from_slice(&reply.into_body().collect().await.unwrap().to_bytes()).unwrap()
            }
        };
        assert_eq!(body["allowed"], true, "{body}");
        assert!(!Signing::is_signed(body["zookie"].as_str().unwrap()), "{body}");
    }
}
