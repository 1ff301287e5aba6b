//! Checks at once share a look-up that has not been sent, and never one that has.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::task::{JoinHandle, yield_now};
use tokio::time::advance;
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie_testing::grpc::Reply;
use tower_zookie_testing::spicedb::Client;
use tower_zookie_testing::spicedb::messages::check;

use crate::objects::world::{World, ask, stats};

/// How many look-ups a replica makes at once.
const AT_ONCE: usize = 8;

fn spawn(client: &Client, document: &str) -> JoinHandle<Reply> {
    let (client, document) = (client.clone(), document.to_owned());
    tokio::spawn(async move { client.check(&check(&document, "ada", None)).await })
}

async fn settle() {
    for _ in 0..50 {
        yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn checks_at_once_share_one_look_up() {
    let world = World::new(Engine::Postgres);
    let checks: Vec<_> = (0..20).map(|n| spawn(&world.b, &format!("plan{n}"))).collect();
    for check in checks {
        check.await.unwrap();
    }
    let look_ups = world.shared.look_ups();
    assert_eq!(look_ups.len(), 1);
    let keys: BTreeSet<_> = look_ups[0].iter().map(|key| key.as_str()).collect();
    assert_eq!((keys.len(), look_ups[0].len()), (22, 22), "each key once");
    assert_eq!((stats(&world.b).queries, stats(&world.b).looked_up), (1, 20));
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_look_up_that_was_sent_is_not_joined() {
    let world = World::new(Engine::Postgres);
    world.had(&[]).await;
    for client in [&world.a, &world.b] {
        assert!(!ask(client).await.has());
    }
    world.shared.look_ups();
    world.shared.hold_replies();
    let early = spawn(&world.b, "plan");
    settle().await;
    assert_eq!(world.shared.look_ups().len(), 1, "it has read the store");
    world.a.set("plan", "ada", true).await;
    let late = spawn(&world.b, "plan");
    settle().await;
    assert_eq!(world.shared.look_ups().len(), 1, "another one");
    world.shared.let_go();
    assert!(late.await.unwrap().has());
    assert_eq!(
        early.await.unwrap().status(),
        0,
        "it came before the write, and may say either"
    );
}

#[tokio::test(start_paused = true)]
async fn while_all_look_ups_run_the_others_wait_for_the_next_one() {
    let world = World::new(Engine::Postgres);
    world.had(&[]).await;
    assert!(!ask(&world.b).await.has());
    world.shared.look_ups();
    world.shared.hold_replies();
    let mut checks = Vec::new();
    for n in 0..AT_ONCE {
        checks.push(spawn(&world.b, &format!("plan{n}")));
        settle().await;
    }
    assert_eq!(world.shared.look_ups().len(), AT_ONCE);
    let waiting = spawn(&world.b, "plan");
    settle().await;
    world.a.set("plan", "ada", true).await;
    let joins = spawn(&world.b, "map");
    settle().await;
    assert!(world.shared.look_ups().is_empty(), "they wait");
    world.shared.let_go();
    assert!(
        waiting.await.unwrap().has(),
        "what was not sent sees what was written meanwhile"
    );
    joins.await.unwrap();
    for check in checks {
        check.await.unwrap();
    }
    let look_ups = world.shared.look_ups();
    assert_eq!(look_ups.len(), 1);
    let keys: BTreeSet<_> = look_ups[0].iter().map(|key| key.as_str()).collect();
    assert_eq!(
        keys,
        BTreeSet::from(["document.map", "document.plan", "user.ada", "=store"])
    );
}

#[tokio::test(start_paused = true)]
async fn a_check_that_waits_for_its_turn_waits_no_longer_than_a_look_up_may() {
    let world = World::new(Engine::Postgres);
    world.shared.hold_replies();
    for n in 0..AT_ONCE {
        spawn(&world.b, &format!("plan{n}"));
        settle().await;
    }
    advance(Duration::from_millis(200)).await;
    let waiting = spawn(&world.b, "plan");
    settle().await;
    advance(Duration::from_millis(260)).await;
    settle().await;
    assert!(waiting.is_finished());
    assert!(waiting.await.unwrap().cache_status().contains("object_unknown"));
}

#[tokio::test(start_paused = true)]
async fn a_look_up_goes_on_for_others_when_its_caller_leaves() {
    let world = World::new(Engine::Postgres);
    world.shared.hold_replies();
    let leaves = spawn(&world.b, "plan");
    let stays = spawn(&world.b, "map");
    settle().await;
    leaves.abort();
    world.shared.let_go();
    assert_eq!(stays.await.unwrap().status(), 0);
    assert_eq!(stats(&world.b).not_known, 0);
}

#[tokio::test(start_paused = true)]
async fn writes_at_once_share_updates_and_all_are_recorded() {
    let world = World::new(Engine::Postgres);
    world.had(&[]).await;
    world.shared.script().before = Duration::from_millis(5);
    let writes: Vec<_> = (0..20)
        .map(|n| {
            let client = world.a.clone();
            tokio::spawn(async move { client.set("plan", &format!("user{n}"), true).await })
        })
        .collect();
    for write in writes {
        write.await.unwrap();
    }
    let updates = world.shared.script().updates.len();
    assert!(updates <= 3, "{updates}");
    assert_eq!(stats(&world.a).recorded, 20);
    for n in 0..20 {
        assert_eq!(world.shared.record(&format!("user.user{n}")).await.tokens.len(), 1);
        let reply = world.b.check(&check("plan", &format!("user{n}"), None)).await;
        assert!(reply.has(), "{n}");
    }
}
