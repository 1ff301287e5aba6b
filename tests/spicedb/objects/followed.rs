//! Replicas that follow the store of objects' tokens.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::advance;
use tower_zookie::objects::Objects;
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie_testing::log::Log;
use tower_zookie_testing::spicedb::messages::check;
use tracing::Level;

use crate::choice::Loss;
use crate::objects::shared::{Feed, LookUp, Shared};
use crate::objects::world::{World, ask, is_full, stats, touch};

const LAG: Duration = Duration::from_secs(1);
const GRANT: &str = "document:plan#viewer@user:ada";

/// Two replicas that have followed for a while.
async fn following(set: impl Fn(Objects) -> Objects) -> World {
    let objects = |shared| set(Objects::followed(Arc::new(shared), LAG));
    let world = World::of(Engine::Postgres, Shared::new(), objects, |builder| builder);
    world.had(&[]).await;
    for client in [&world.a, &world.b] {
        ask(client).await;
    }
    settle().await;
    for client in [&world.a, &world.b] {
        assert!(!ask(client).await.has());
    }
    world.server.calls();
    world.shared.look_ups();
    world
}

async fn settle() {
    for _ in 0..50 {
        yield_now().await;
    }
}

/// Some time, in which feeds say what they have to.
async fn pass(time: Duration) {
    let step = Duration::from_millis(50);
    for _ in 0..time.as_millis() / step.as_millis() {
        advance(step).await;
        settle().await;
    }
}

#[tokio::test(start_paused = true)]
async fn rule_01_what_the_feed_reported_is_a_floor() {
    let world = following(|objects| objects).await;
    world.a.set("plan", "ada", true).await;
    settle().await;
    assert!(ask(&world.b).await.has());
    assert!(!world.asked().iter().any(is_full));
    assert!(world.shared.look_ups().is_empty(), "from memory");
    assert!(stats(&world.b).from_memory >= 2);
    assert_eq!(stats(&world.b).followed, 5);
}

#[tokio::test(start_paused = true)]
async fn heartbeats_keep_a_quiet_feed_young() {
    let world = following(|objects| objects).await;
    for _ in 0..20 {
        pass(LAG).await;
        ask(&world.b).await;
        assert!(stats(&world.b).lag_seconds.unwrap() < LAG.as_secs_f64());
    }
    assert!(world.shared.look_ups().is_empty());
    assert_eq!(stats(&world.b).feeds_ended, 0);
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_stalled_feed_leads_to_look_ups() {
    let world = following(|objects| objects).await;
    world.shared.set_feed(Feed::Stalls);
    settle().await;
    world.a.set("plan", "ada", true).await;
    assert!(!ask(&world.b).await.has(), "within the lag");
    assert!(world.shared.look_ups().is_empty());
    advance(LAG + Duration::from_millis(1)).await;
    assert!(ask(&world.b).await.has());
    assert_eq!(world.shared.look_ups().len(), 1);
    // It is given up after a while, and reported.
    pass(LAG * 6).await;
    assert_eq!(stats(&world.b).feeds_ended, 1);
    world.shared.set_feed(Feed::Works);
    pass(LAG).await;
    world.shared.look_ups();
    assert!(ask(&world.b).await.has());
    assert!(world.shared.look_ups().is_empty(), "it follows again");
}

#[tokio::test(start_paused = true)]
async fn rule_01_an_ended_feed_leads_to_look_ups_and_is_opened_again() {
    let log = Log::capture(Level::WARN);
    let world = following(|objects| objects).await;
    world.shared.set_feed(Feed::Ends);
    pass(LAG * 2).await;
    world.a.set("plan", "ada", true).await;
    assert!(ask(&world.b).await.has());
    assert_eq!(world.shared.look_ups().len(), 1);
    assert!(stats(&world.b).feeds_ended > 1);
    assert!(
        log.lines()
            .iter()
            .all(|line| line.contains("the feed of the store of `objects` ended"))
    );
    assert!(log.lines().len() <= 2, "one for each replica: {:?}", log.lines());
    world.shared.set_feed(Feed::Works);
    pass(LAG * 6).await;
    world.shared.look_ups();
    world.a.set("plan", "bob", true).await;
    settle().await;
    assert!(world.b.check(&check("plan", "bob", None)).await.has());
    assert!(world.shared.look_ups().is_empty());
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_feed_that_lags_too_much_leads_to_look_ups() {
    let world = following(|objects| objects).await;
    world.shared.set_feed(Feed::Lags(LAG * 2));
    pass(LAG * 10).await;
    for n in 0..20 {
        // An answer that the next write makes stale.
        ask(&world.b).await;
        world.a.set("plan", "ada", n % 2 == 0).await;
        pass(LAG + Duration::from_millis(50)).await;
        assert_eq!(ask(&world.b).await.has(), n % 2 == 0, "{n}");
    }
    assert!(!world.shared.look_ups().is_empty());
    assert_eq!(stats(&world.b).feeds_ended, 0);
}

#[tokio::test(start_paused = true)]
async fn what_was_written_while_a_feed_was_away_is_in_the_next_one() {
    let world = following(|objects| objects).await;
    world.shared.set_feed(Feed::Ends);
    settle().await;
    world.a.set("plan", "ada", true).await;
    world.shared.set_feed(Feed::Works);
    pass(LAG * 2).await;
    assert!(ask(&world.b).await.has());
    assert!(world.shared.look_ups().is_empty());
}

#[tokio::test(start_paused = true)]
async fn rule_01_records_without_room_are_looked_up() {
    let world = following(|objects| objects.followed_capacity(7)).await;
    world.a.set("map", "bob", true).await;
    settle().await;
    // Five records. Of the next ones two have room.
    let before = check("plan", "ada", None);
    world.b.check(&before).await;
    world.shared.look_ups();
    world.a.set("plan", "ada", true).await;
    world.a.set("list", "eve", true).await;
    settle().await;
    assert_eq!(stats(&world.b).followed, 7);
    for (document, user) in [("plan", "ada"), ("list", "eve"), ("map", "bob")] {
        assert!(world.b.check(&check(document, user, None)).await.has(), "{document}");
    }
    assert!(!world.shared.look_ups().is_empty());
    assert!(!world.asked().iter().any(is_full));
    // The records end, and with them the look-ups.
    world.server.quantize();
    pass(Duration::from_secs(70)).await;
    world.shared.look_ups();
    ask(&world.b).await;
    assert!(world.shared.look_ups().is_empty());
    assert_eq!(stats(&world.b).followed, 0);
}

#[tokio::test(start_paused = true)]
async fn records_end_in_memory_as_in_the_store() {
    let world = following(|objects| objects.keep(Duration::from_secs(60))).await;
    world.a.set("plan", "ada", true).await;
    settle().await;
    assert_eq!(stats(&world.b).followed, 5);
    pass(Duration::from_secs(80)).await;
    assert_eq!(stats(&world.b).followed, 0);
}

#[tokio::test(start_paused = true)]
async fn an_unsettled_mark_is_followed_and_ends() {
    let world = following(|objects| objects.write_timeout(Duration::from_secs(20))).await;
    world.server.state().loses = Some(Loss::Status(14));
    assert_eq!(touch(&world.a, GRANT).await.status(), 14);
    settle().await;
    world.server.calls();
    for _ in 0..3 {
        assert!(ask(&world.b).await.has());
        assert!(is_full(&world.asked()[0]));
        pass(Duration::from_secs(6)).await;
    }
    assert_eq!(stats(&world.b).unsettled, 3);
    world.server.quantize();
    pass(Duration::from_secs(3)).await;
    assert!(ask(&world.b).await.has());
    assert!(!world.asked().iter().any(is_full));
    assert!(world.shared.look_ups().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_replica_looks_up_until_its_feed_is_open() {
    let objects = |shared| Objects::followed(Arc::new(shared), LAG);
    let world = World::of(Engine::Postgres, Shared::new(), objects, |builder| builder);
    world.shared.set_feed(Feed::Ends);
    world.had(&[]).await;
    for client in [&world.a, &world.b] {
        assert!(!ask(client).await.has());
    }
    world.a.set("plan", "ada", true).await;
    assert!(ask(&world.b).await.has());
    assert_eq!(world.shared.look_ups().len(), 3);
    assert_eq!(stats(&world.b).lag_seconds, None);
    world.shared.script().look_up = LookUp::Fails;
    assert!(ask(&world.b).await.has());
    assert!(is_full(&world.asked().pop().unwrap()), "neither is there");
}

#[tokio::test(start_paused = true)]
async fn following_ends_with_the_layer() {
    let world = following(|objects| objects).await;
    let World { server, shared, a, b } = world;
    drop((a, b));
    pass(LAG * 2).await;
    assert_eq!(shared.holders(), 1, "no task has the store any more");
    drop(server);
}
