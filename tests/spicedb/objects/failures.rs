//! What happens when a write can't be recorded, or what was recorded can't be looked up.

use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use http::{Request, Response};
use http_body_util::BodyExt;
use tokio::task::yield_now;
use tokio::time::{advance, timeout};
use tower::{Layer, ServiceExt, service_fn};
use tower_zookie::ZookieLayer;
use tower_zookie::objects::{MemoryObjects, Objects};
use tower_zookie::protocol::spicedb::{Engine, SpiceDb};
use tower_zookie_testing::frame::framed;
use tower_zookie_testing::grpc::{Body, OK, UNAVAILABLE};
use tower_zookie_testing::log::Log;
use tower_zookie_testing::spicedb::messages::{TOUCH, check, full};
use tracing::Level;

use crate::choice::Loss;
use crate::objects::shared::{LookUp, Shared, Updated};
use crate::objects::world::{World, ask, create, is_full, stats, touch, updates};
use crate::server::Server;

const GRANT: &str = "document:plan#viewer@user:ada";

/// Both replicas have an answer.
async fn asked_before(engine: Engine, set: impl Fn(Objects) -> Objects) -> World {
    let world = World::with(engine, set);
    world.had(&[]).await;
    for client in [&world.a, &world.b] {
        assert!(!ask(client).await.has());
        assert!(ask(client).await.is_hit());
    }
    world.server.calls();
    world
}

/// Asks until what the store has begun to do is done.
async fn settle() {
    for _ in 0..20 {
        yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_unrecorded_write_fails_and_says_that_it_was_made() {
    for how in [Updated::FailsBefore, Updated::FailsHalfway, Updated::FailsAfter] {
        let log = Log::capture(Level::WARN);
        let world = asked_before(Engine::Postgres, |objects| objects).await;
        world.shared.script().update = how;
        for _ in 0..2 {
            let reply = touch(&world.a, GRANT).await;
            assert_eq!(reply.status(), UNAVAILABLE, "{how:?}");
            let message = format!("{:?} {:?}", reply.headers, reply.trailers);
            assert!(message.contains("was made"), "{message}");
            assert_eq!(reply.header("zookie"), None);
        }
        assert!(log.only().contains("could not be recorded"), "{:?}", log.lines());
        assert_eq!(stats(&world.a).not_recorded, 2);
        assert_eq!(world.a.handle().stats().warnings["not_recorded"], 2);
        world.shared.script().update = Updated::Works;
        assert_eq!(touch(&world.a, GRANT).await.status(), OK);
        assert!(ask(&world.b).await.has());
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_takes_too_long_counts_as_failed() {
    let world = asked_before(Engine::Postgres, |objects| {
        objects.record_timeout(Duration::from_millis(100))
    })
    .await;
    world.shared.script().before = Duration::from_secs(1);
    assert_eq!(touch(&world.a, GRANT).await.status(), UNAVAILABLE);
}

#[tokio::test(start_paused = true)]
async fn a_retry_of_an_unrecorded_creation_records_it() {
    let world = asked_before(Engine::Postgres, |objects| objects).await;
    world.shared.script().update = Updated::FailsBefore;
    assert_eq!(create(&world.a, GRANT).await.status(), UNAVAILABLE);
    // It exists already, and that can't be recorded either.
    assert_eq!(create(&world.a, GRANT).await.status(), UNAVAILABLE);
    world.shared.script().update = Updated::Works;
    assert_eq!(create(&world.a, GRANT).await.status(), 6);
    assert!(ask(&world.b).await.has());
}

#[tokio::test(start_paused = true)]
async fn pass_unrecorded_passes_the_reply() {
    let world = asked_before(Engine::Postgres, |objects| objects.pass_unrecorded(true)).await;
    world.shared.script().update = Updated::FailsBefore;
    world.a.set("plan", "ada", true).await;
    assert_eq!(stats(&world.a).not_recorded, 1);
    assert!(!ask(&world.b).await.has(), "the docs say that it may be missed");
}

#[tokio::test(start_paused = true)]
async fn a_failed_write_whose_mark_fails_keeps_its_own_error() {
    let world = asked_before(Engine::Postgres, |objects| objects).await;
    world.shared.script().update = Updated::FailsBefore;
    world.server.state().down = Some(13);
    assert_eq!(
        touch(&world.a, GRANT).await.status(),
        13,
        "it does not say that the write was made"
    );
}

/// A write whose outcome is unknown leaves its objects unsettled until it surely has ended.
async fn is_unsettled(world: &World, write_timeout: Duration) {
    settle().await;
    world.server.calls();
    let step = write_timeout / 4;
    for _ in 0..4 {
        for client in [&world.a, &world.b] {
            assert!(ask(client).await.has());
            assert!(is_full(&world.asked()[0]), "unsettled");
            let reply = ask(client).await;
            assert!(reply.cache_status().contains(UNSETTLED), "{}", reply.cache_status());
        }
        world.server.calls();
        advance(step).await;
    }
    world.server.quantize();
    advance(Duration::from_millis(1)).await;
    for client in [&world.a, &world.b] {
        assert!(ask(client).await.has());
        assert!(ask(client).await.is_hit(), "settled");
        assert_eq!(stats(client).unsettled, 8);
    }
    assert!(!world.asked().iter().any(is_full));
}

const UNSETTLED: &str = "object_unsettled: a write of its objects may still run";
const WRITE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn a_write_whose_reply_is_an_error_leaves_its_objects_unsettled() {
    for status in [1, 2, 4, 8, 10, 13, 14] {
        let world = asked_before(Engine::Postgres, |objects| objects).await;
        world.server.state().loses = Some(Loss::Status(status));
        assert_eq!(touch(&world.a, GRANT).await.status(), status);
        is_unsettled(&world, WRITE).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_caller_leaves_is_recorded_when_it_ends() {
    let world = asked_before(Engine::Postgres, |objects| objects).await;
    world.server.state().write_takes = Duration::from_secs(2);
    let left = timeout(Duration::from_secs(1), touch(&world.a, GRANT)).await;
    assert!(left.is_err());
    advance(Duration::from_secs(2)).await;
    settle().await;
    assert!(ask(&world.b).await.has());
    assert_eq!((stats(&world.a).recorded, stats(&world.a).left_unsettled), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_caller_left_and_which_takes_too_long_is_unsettled() {
    let world = asked_before(Engine::Postgres, |objects| objects).await;
    world.server.state().loses = Some(Loss::Never);
    assert!(timeout(Duration::from_secs(1), touch(&world.a, GRANT)).await.is_err());
    settle().await;
    // Longer than a flight may take.
    advance(Duration::from_secs(31)).await;
    settle().await;
    assert_eq!(stats(&world.a).left_unsettled, 1);
    is_unsettled(&world, WRITE).await;
}

#[tokio::test(start_paused = true)]
async fn a_write_that_finds_no_place_when_its_caller_leaves_is_unsettled() {
    let world = World::of(
        Engine::Postgres,
        Shared::new(),
        |shared| Objects::immediate(std::sync::Arc::new(shared)),
        |builder| builder.cache(|cache| cache.max_flights(1, 1)),
    );
    world.had(&[]).await;
    for client in [&world.a, &world.b] {
        ask(client).await;
    }
    for _ in 0..2 {
        world.server.state().loses = Some(Loss::Never);
        assert!(timeout(Duration::from_millis(1), touch(&world.a, GRANT)).await.is_err());
    }
    settle().await;
    // The first one has the only place.
    assert_eq!(stats(&world.a).left_unsettled, 1);
    assert!(ask(&world.b).await.cache_status().contains(UNSETTLED));
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_connection_breaks_leaves_its_objects_unsettled() {
    let server = Server::new(Engine::Postgres);
    let shared = Shared::new();
    let inner = server.clone();
    let breaks = service_fn(move |request: Request<Body>| {
        let inner = inner.clone();
        async move {
            let is_write = request.uri().path().ends_with("WriteRelationships");
            let reply: Response<Body> = inner.oneshot(request).await.unwrap();
            if is_write { Err("reset by peer") } else { Ok(reply) }
        }
    });
    let objects = Objects::immediate(std::sync::Arc::new(shared.clone()));
    let layer = ZookieLayer::builder(SpiceDb::new(Engine::Postgres))
        .objects(objects)
        .build()
        .unwrap();
    let service = layer.layer(breaks);
    let send = |method: &str, body| {
        let request = Request::post(format!("http://127.0.0.1/authzed.api.v1.PermissionsService/{method}"))
            .header("content-type", "application/grpc")
            .body(http_body_util::Full::new(body).boxed_unsync())
            .unwrap();
        service.clone().oneshot(request)
    };
    let broken = send("WriteRelationships", framed(&updates(TOUCH, &[GRANT]))).await;
    assert_eq!(broken.err(), Some("reset by peer"));
    assert!(shared.record("document.plan").await.unsettled.is_some());
    assert!(shared.record("user.ada").await.unsettled.is_some());
    let reply = send("CheckPermission", framed(&check("plan", "ada", None)))
        .await
        .unwrap();
    assert!(
        reply.headers()["cache-status"]
            .to_str()
            .unwrap()
            .contains("object_unsettled")
    );
}

#[tokio::test(start_paused = true)]
async fn a_write_that_was_never_sent_leaves_nothing_unsettled() {
    let shared = Shared::new();
    let objects = Objects::immediate(std::sync::Arc::new(shared.clone()));
    let layer = ZookieLayer::builder(SpiceDb::new(Engine::Postgres))
        .objects(objects)
        .build()
        .unwrap();
    let request = || {
        Request::post("http://127.0.0.1/authzed.api.v1.PermissionsService/WriteRelationships")
            .header("content-type", "application/grpc")
            .body(http_body_util::Full::new(framed(&updates(TOUCH, &[GRANT]))).boxed_unsync())
            .unwrap()
    };
    let never = layer.layer(tower_zookie_never::NeverReady);
    assert!(timeout(Duration::from_secs(1), never.oneshot(request())).await.is_err());
    settle().await;
    assert!(shared.script().updates.is_empty());
}

/// A service that is never ready.
mod tower_zookie_never {
    use std::task::{Context, Poll};

    use super::*;

    #[derive(Clone)]
    pub(super) struct NeverReady;

    impl tower::Service<Request<Body>> for NeverReady {
        type Response = Response<Body>;
        type Error = Infallible;
        type Future = std::future::Pending<Result<Response<Body>, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Pending
        }

        fn call(&mut self, _: Request<Body>) -> Self::Future {
            pending()
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_unsettled_mark_outlives_the_records_before_it() {
    // Records are kept for less time than a write may run.
    let world = World::of(
        Engine::Postgres,
        Shared::of(MemoryObjects::new(8).unwrap()),
        |shared| Objects::immediate(std::sync::Arc::new(shared)).keep(Duration::from_secs(11)),
        |builder| builder,
    );
    world.had(&[]).await;
    world.server.state().loses = Some(Loss::Status(14));
    touch(&world.a, GRANT).await;
    advance(Duration::from_secs(12)).await;
    // The store makes room.
    let other = touch(&world.a, "document:map#viewer@user:bob").await.status();
    let another = touch(&world.a, "document:list#viewer@user:eve").await.status();
    assert_eq!((other, another), (OK, UNAVAILABLE), "it is full");
    assert!(ask(&world.b).await.has());
    assert!(is_full(&world.asked().pop().unwrap()));
}

/// The look-up fails in some way: the check is fully consistent, the caller gets its answer, and all that is known stays.
async fn is_strict(why: &str, fail: impl FnOnce(&World), repair: impl FnOnce(&World)) {
    let log = Log::capture(Level::WARN);
    let world = asked_before(Engine::Postgres, |objects| objects).await;
    let known = world.b.handle().newest_revision();
    fail(&world);
    world.server.set("plan", "ada", true);
    for n in 1..=3 {
        let reply = ask(&world.b).await;
        assert!(reply.has(), "{why}");
        assert!(is_full(&world.asked().pop().unwrap()), "{why}");
        assert_eq!(stats(&world.b).not_known + stats(&world.b).looked_up, n + 2, "{why}");
    }
    assert_eq!(log.lines().len(), 1, "{why}: {:?}", log.lines());
    repair(&world);
    assert!(world.b.handle().newest_revision().is_some() && known.is_some());
    assert!(ask(&world.b).await.is_hit(), "{why}: the cache was flushed");
    let map = check("map", "bob", None);
    world.b.check(&map).await;
    assert!(world.b.check(&map).await.is_hit());
}

#[tokio::test(start_paused = true)]
async fn a_failed_look_up_makes_a_check_fully_consistent() {
    let set = |how: LookUp| move |world: &World| world.shared.script().look_up = how;
    is_strict("failed", set(LookUp::Fails), set(LookUp::Works)).await;
    is_strict("one less", set(LookUp::OneLess), set(LookUp::Works)).await;
    is_strict("junk", set(LookUp::Also("no token".to_owned())), set(LookUp::Works)).await;
    let slow = |duration| move |world: &World| world.shared.script().before = duration;
    is_strict("slow", slow(Duration::from_secs(10)), slow(Duration::ZERO)).await;
    let late = |duration| move |world: &World| world.shared.script().after = duration;
    is_strict("late", late(Duration::from_secs(10)), late(Duration::ZERO)).await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_look_up_is_counted() {
    for how in [LookUp::Fails, LookUp::OneLess] {
        let world = asked_before(Engine::Postgres, |objects| objects).await;
        world.shared.script().look_up = how.clone();
        ask(&world.b).await;
        assert_eq!(
            (stats(&world.b).failed_queries, stats(&world.b).not_known),
            (1, 1),
            "{how:?}"
        );
        world.shared.script().look_up = LookUp::Works;
        world.shared.script().before = Duration::from_secs(1);
        let reply = ask(&world.b).await;
        let detail = "object_unknown: the tokens of its objects could not be looked up";
        assert!(reply.cache_status().contains(detail), "{}", reply.cache_status());
        advance(Duration::from_secs(1)).await;
        settle().await;
        assert_eq!(
            (stats(&world.b).failed_queries, stats(&world.b).not_known),
            (2, 2),
            "{how:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_of_another_datastore_makes_a_check_fully_consistent() {
    let token = |world: &World| world.server.token_of(1000, "another");
    let fail = |world: &World| {
        let token = token(world);
        world.shared.script().look_up = LookUp::Also(token);
    };
    is_strict("foreign", fail, |world| world.shared.script().look_up = LookUp::Works).await;
}

/// What a replica does whose records are ahead of its store. How many of the checks of other objects it answers itself.
async fn hits_beside_lost_records(world: &World) -> u32 {
    let mut hits = 0;
    for _ in 0..40 {
        let reply = ask(&world.b).await;
        assert_eq!(reply.status(), OK, "{reply:?}");
        let map = check("map", "bob", None);
        world.b.check(&map).await;
        hits += u32::from(world.b.check(&map).await.is_hit());
        advance(Duration::from_secs(1)).await;
        world.server.quantize();
    }
    hits
}

#[tokio::test(start_paused = true)]
async fn after_a_restore_what_is_remembered_costs_head_reads_and_no_errors() {
    for engine in [Engine::Postgres, Engine::MySql] {
        let log = Log::capture(Level::WARN);
        let world = asked_before(engine, |objects| objects).await;
        for n in 0..20 {
            world.a.set("plan", &format!("user{n}"), true).await;
        }
        world.a.set("plan", "ada", true).await;
        assert!(ask(&world.b).await.has());
        world.server.restore(1005);
        world.server.quantize();
        // Two heads lack what is known.
        for _ in 0..2 {
            world.b.check(&check("map", "bob", full())).await;
            advance(Duration::from_secs(6)).await;
        }
        world.server.calls();
        assert!(hits_beside_lost_records(&world).await > 35, "{engine:?}");
        let reply = ask(&world.b).await;
        assert_eq!((reply.status(), reply.has()), (OK, false));
        world.server.calls();
        ask(&world.b).await;
        assert!(world.asked().iter().any(is_full), "{engine:?}");
        let lines = log.lines();
        assert_eq!(
            lines
                .iter()
                .filter(|line| line.contains("replaced or restored: all"))
                .count(),
            1,
            "{engine:?}: {lines:?}"
        );
        assert_eq!(
            lines
                .iter()
                .filter(|line| line.contains("in the store of `objects` can't be read"))
                .count(),
            1,
            "{engine:?}: {lines:?}"
        );
    }
}
