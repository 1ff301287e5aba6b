//! Which reads get a floor from what is remembered, and how they are asked.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use tokio::time::advance;
use tower_zookie::ByteSize;
use tower_zookie::objects::Objects;
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie_testing::frame::frame;
use tower_zookie_testing::grpc::{OK, Reply, UNIMPLEMENTED};
use tower_zookie_testing::spicedb::messages::{
    Consistency, Cursor, LookupResourcesRequest, LookupSubjectsRequest, PairResponse, ReadRelationshipsRequest,
    RelationshipFilter, Requirement, TOUCH, at_least, bulk, check, document, exactly, full, minimize_latency, user,
};

use crate::objects::shared::{LookUp, Shared};
use crate::objects::world::{World, ask, is_full, stats, touch, updates};

const GRANT: &str = "document:plan#viewer@user:ada";

/// Both replicas know the store. Then the first one grants. The token.
async fn granted(world: &World) -> String {
    world.had(&[]).await;
    ask(&world.a).await;
    ask(&world.b).await;
    let token = world.a.set("plan", "ada", true).await;
    world.server.calls();
    world.shared.look_ups();
    token
}

fn at(token: &str) -> Option<Requirement> {
    at_least(token).and_then(|consistency| consistency.requirement)
}

#[tokio::test(start_paused = true)]
async fn a_check_after_a_write_is_asked_at_the_token_once() {
    let world = World::new(Engine::Postgres);
    let token = granted(&world).await;
    assert!(ask(&world.b).await.has());
    assert_eq!(world.asked(), [at(&token)]);
    assert!(ask(&world.b).await.is_hit(), "no more than the token is demanded");
    assert!(world.asked().is_empty());
    let stats = stats(&world.b);
    assert_eq!((stats.looked_up, stats.queries, stats.from_memory), (3, 3, 0));
}

#[tokio::test(start_paused = true)]
async fn a_check_of_other_objects_gets_no_floor() {
    let world = World::new(Engine::Postgres);
    world.had(&[]).await;
    let other = check("map", "bob", None);
    world.b.check(&other).await;
    world.a.set("plan", "ada", true).await;
    assert!(world.b.check(&other).await.is_hit());
}

#[tokio::test(start_paused = true)]
async fn minimize_latency_gets_the_floor_too() {
    let world = World::new(Engine::Postgres);
    granted(&world).await;
    assert!(world.b.check(&check("plan", "ada", minimize_latency())).await.has());
    let in_metadata = world.b.metadata("zookie-consistency", "minimize-latency");
    assert!(in_metadata.check(&check("plan", "ada", None)).await.has());
}

#[tokio::test(start_paused = true)]
async fn what_a_request_demands_itself_is_unchanged() {
    let world = World::new(Engine::Postgres);
    let before = ask(&world.b).await.at();
    let after = granted(&world).await;
    assert!(
        !world
            .b
            .metadata("zookie", &before)
            .check(&check("plan", "ada", None))
            .await
            .has()
    );
    assert!(!world.b.cookie(&before).check(&check("plan", "ada", None)).await.has());
    for (consistency, has) in [
        (at_least(&before), false),
        (exactly(&before), false),
        (at_least(&after), true),
        (full(), true),
    ] {
        let reply = world.b.check(&check("plan", "ada", consistency.clone())).await;
        assert_eq!(reply.has(), has, "{consistency:?}");
    }
    let within = world.b.metadata("zookie-consistency", "bounded-staleness=5s");
    assert!(
        within.check(&check("plan", "ada", at_least(&before))).await.has(),
        "head"
    );
    assert!(world.shared.look_ups().is_empty());
}

#[tokio::test(start_paused = true)]
async fn bounded_staleness_gets_the_floor_too() {
    let world = World::new(Engine::Postgres);
    world.had(&[]).await;
    let within = world.b.metadata("zookie-consistency", "bounded-staleness=5s");
    assert!(!within.check(&check("plan", "ada", None)).await.has());
    assert!(within.check(&check("plan", "ada", None)).await.is_hit());
    world.a.set("plan", "ada", true).await;
    assert!(within.check(&check("plan", "ada", None)).await.has());
}

#[tokio::test(start_paused = true)]
async fn weakened_full_checks_ask_for_all_that_was_recorded() {
    let world = World::with(Engine::Postgres, |objects| objects.weaken_full(true));
    let token = granted(&world).await;
    let fully = check("plan", "ada", full());
    let elsewhere = check("map", "bob", full());
    assert!(world.b.check(&fully).await.has());
    assert!(world.b.check(&fully).await.is_hit());
    world.b.check(&elsewhere).await;
    assert_eq!(world.asked(), [at(&token), at(&token)]);
    let carried = world.b.metadata("zookie-consistency", "fully-consistent");
    assert!(carried.check(&check("plan", "ada", None)).await.is_hit());
    // One with a token of its own is read at head.
    carried
        .metadata("zookie", &token)
        .check(&check("plan", "ada", None))
        .await;
    assert!(is_full(&world.asked()[0]));
    // What is not known is not weakened.
    world.shared.script().look_up = LookUp::Fails;
    assert!(world.b.check(&fully).await.has());
    assert!(is_full(&world.asked()[0]));
}

#[tokio::test(start_paused = true)]
async fn without_that_setting_full_checks_stay_full() {
    let world = World::new(Engine::Postgres);
    granted(&world).await;
    for _ in 0..2 {
        assert!(world.b.check(&check("plan", "ada", full())).await.has());
        assert!(is_full(&world.asked()[0]));
    }
    assert!(world.shared.look_ups().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_bulk_is_looked_up_at_once() {
    let world = World::new(Engine::Postgres);
    let token = granted(&world).await;
    let several = bulk(
        &[("plan", "ada"), ("map", "ada"), ("map", "bob"), ("plan", "ada")],
        None,
    );
    let has = |reply: &Reply| {
        let pairs = reply.bulk().pairs.into_iter().map(|pair| match pair.response {
            Some(PairResponse::Item(item)) => item.permissionship == 2,
            other => panic!("{other:?}"),
        });
        pairs.collect::<Vec<_>>()
    };
    assert_eq!(has(&world.b.bulk(&several).await), [true, false, false, true]);
    let look_ups = world.shared.look_ups();
    let mut keys: Vec<_> = look_ups.iter().flatten().map(|key| key.as_str()).collect();
    keys.sort_unstable();
    assert_eq!(look_ups.len(), 1);
    assert_eq!(
        keys,
        ["=store", "document.map", "document.plan", "user.ada", "user.bob"]
    );
    assert_eq!(world.asked(), [at(&token)]);
    assert!(world.b.bulk(&several).await.is_hit());
}

fn resources(consistency: Option<Consistency>) -> LookupResourcesRequest {
    LookupResourcesRequest {
        consistency,
        resource_object_type: "document".to_owned(),
        permission: "view".to_owned(),
        subject: user("eve"),
        ..LookupResourcesRequest::default()
    }
}

fn subjects() -> LookupSubjectsRequest {
    LookupSubjectsRequest {
        resource: document("other"),
        permission: "view".to_owned(),
        subject_object_type: "user".to_owned(),
        ..LookupSubjectsRequest::default()
    }
}

fn relationships(id: &str) -> ReadRelationshipsRequest {
    ReadRelationshipsRequest {
        relationship_filter: Some(RelationshipFilter {
            resource_type: "document".to_owned(),
            optional_resource_id: id.to_owned(),
            ..RelationshipFilter::default()
        }),
        ..ReadRelationshipsRequest::default()
    }
}

/// What a listing was asked with.
async fn listed(world: &World, method: &str, message: &impl Message) -> Option<Requirement> {
    let reply = world.b.call(&format!("PermissionsService/{method}"), message).await;
    assert_eq!(reply.status(), OK, "{method}");
    world.server.calls().pop().unwrap().consistency
}

#[tokio::test(start_paused = true)]
async fn rule_01_listings_state_the_floor_of_their_type() {
    let world = World::new(Engine::Postgres);
    let token = granted(&world).await;
    assert_eq!(listed(&world, "LookupResources", &resources(None)).await, at(&token));
    assert_eq!(
        listed(&world, "LookupResources", &resources(minimize_latency())).await,
        at(&token)
    );
    assert_eq!(listed(&world, "LookupSubjects", &subjects()).await, at(&token));
    assert_eq!(
        listed(&world, "ReadRelationships", &relationships("")).await,
        at(&token)
    );
    assert_eq!(
        listed(&world, "ReadRelationships", &relationships("plan")).await,
        at(&token)
    );
    assert_eq!(
        listed(&world, "ReadRelationships", &relationships("map")).await,
        None,
        "it was not touched"
    );
    let expand = check("plan", "ada", None);
    assert_eq!(listed(&world, "ExpandPermissionTree", &expand).await, at(&token));
    // Their own demands are unchanged.
    world.shared.look_ups();
    let fully = full().and_then(|consistency| consistency.requirement);
    assert_eq!(listed(&world, "LookupResources", &resources(full())).await, fully);
    assert!(world.shared.look_ups().is_empty());
}

#[tokio::test(start_paused = true)]
async fn pages_are_forwarded_unmodified() {
    let world = World::new(Engine::Postgres);
    granted(&world).await;
    let page = LookupResourcesRequest {
        optional_limit: 10,
        optional_cursor: Some(Cursor {
            token: "a page".to_owned(),
        }),
        ..resources(None)
    };
    let body = frame(&page.encode_to_vec());
    world.b.send("PermissionsService/LookupResources", body.clone()).await;
    assert_eq!(world.server.calls().pop().unwrap().body, body);
    assert!(world.shared.look_ups().is_empty());
}

/// Checks that can't be read, and which can't state a floor.
fn unreadable() -> Vec<(&'static str, Bytes)> {
    let message = check("plan", "ada", None).encode_to_vec();
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut body = frame(&message).to_vec();
        change(&mut body);
        Bytes::from(body)
    };
    let doubled = [&message[..], &message[..]].concat();
    vec![
        ("compressed", with(&|body| body[0] = 1)),
        ("cut off", with(&|body| body.truncate(body.len() - 2))),
        ("with garbage", with(&|body| body.push(0))),
        ("doubled", frame(&doubled)),
        ("no message", Bytes::new()),
        ("over the limit", {
            let mut large = check("plan", "ada", None);
            large.permission = "x".repeat(5 << 20);
            frame(&large.encode_to_vec())
        }),
    ]
}

#[tokio::test(start_paused = true)]
async fn rule_09_an_unreadable_check_is_not_asked_weaker() {
    let world = World::new(Engine::Postgres);
    granted(&world).await;
    for (what, body) in unreadable() {
        let reply = world.b.send("PermissionsService/CheckPermission", body).await;
        let asked = world.asked();
        assert!(!reply.is_from_cache(), "{what}");
        match asked.as_slice() {
            [] => assert_eq!(reply.status(), UNIMPLEMENTED, "{what}"),
            asked => assert!(asked.iter().all(is_full), "{what}: {asked:?}"),
        }
    }
    assert!(stats(&world.b).unnamed > 0);
}

#[tokio::test(start_paused = true)]
async fn rule_09_a_check_around_the_cache_states_the_floor() {
    let world = World::new(Engine::Postgres);
    let token = granted(&world).await;
    let mut traced = check("plan", "ada", None);
    traced.with_tracing = true;
    assert!(world.b.check(&traced).await.has());
    let ranged = world.b.metadata("range", "bytes=0-3");
    assert!(ranged.check(&check("plan", "ada", None)).await.has());
    let overridden = world.b.metadata("x-http-method-override", "GET");
    assert!(overridden.check(&check("plan", "ada", None)).await.has());
    world.b.handle().set_pass_through(true);
    assert!(ask(&world.b).await.has());
    assert_eq!(world.asked(), vec![at(&token); 4]);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_can_not_be_read_counts_for_the_whole_store() {
    let world = World::of(
        Engine::Postgres,
        Shared::new(),
        |shared| Objects::immediate(Arc::new(shared)),
        |builder| builder.max_request_body(ByteSize::kibi(1)),
    );
    world.had(&[]).await;
    for client in [&world.a, &world.b] {
        assert!(!ask(client).await.has());
    }
    let mut large = updates(TOUCH, &[GRANT]);
    large.updates[0].relationship.as_mut().unwrap().relation = "r".repeat(2000);
    let reply = world.a.call("PermissionsService/WriteRelationships", &large).await;
    assert_eq!(reply.status(), OK);
    assert!(!world.shared.record("=store").await.tokens.is_empty());
    assert!(ask(&world.b).await.has());
}

#[tokio::test(start_paused = true)]
async fn a_write_with_overriding_headers_is_seen_too() {
    let world = World::new(Engine::Postgres);
    world.had(&[]).await;
    for client in [&world.a, &world.b] {
        assert!(!ask(client).await.has());
    }
    world.server.calls();
    let overriding = world.a.metadata("x-http-method-override", "GET");
    let reply = touch(&overriding, GRANT).await;
    assert_eq!(reply.status(), OK);
    assert_eq!(
        reply.cache_status(),
        "tower-zookie; fwd=bypass; detail=\"a header that may change the request's path or method\""
    );
    assert_eq!(reply.header("zookie"), None, "it may be no write's");
    let calls = world.server.calls();
    assert!(
        calls[1..]
            .iter()
            .all(|call| !call.headers.contains_key("x-http-method-override"))
    );
    assert!(ask(&world.b).await.has());
}

#[tokio::test(start_paused = true)]
async fn a_floor_ends_with_its_record_and_the_age_bound_remains() {
    let world = World::new(Engine::Postgres);
    let token = granted(&world).await;
    assert!(ask(&world.b).await.has());
    world.server.quantize();
    advance(Duration::from_secs(6)).await;
    assert!(ask(&world.b).await.has());
    assert!(!world.server.calls().is_empty(), "the answer was too old");
    assert_eq!(world.shared.record("document.plan").await.tokens[0].as_str(), token);
}

#[tokio::test(start_paused = true)]
async fn replies_to_checks_without_tokens_set_no_cookie() {
    let world = World::new(Engine::Postgres);
    granted(&world).await;
    let reply = ask(&world.b).await;
    assert_eq!(reply.header("set-cookie"), None);
    assert_eq!(ask(&world.b).await.header("set-cookie"), None);
}
