use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::store::clock::{Clock, OWN, Stamp};
use crate::store::error::{ReadError, WriteError};
use crate::store::node::{Link, Network, Node, NodeWriteError};
use crate::store::objects::Version;
use crate::store::state::{State, Taken, Written};
use crate::store::{Filter, ReadMode, RevisionError, Schema, SnapshotReader, Update};
use crate::token::RevisionToken;

const SCHEMA: &str = "
    definition user {}
    definition doc { relation reader: user  permission view = reader }";
const ALICE: &str = "doc:plan#reader@user:alice";
const DELAY: Duration = Duration::from_millis(200);

fn schema() -> Schema {
    Schema::parse(SCHEMA).unwrap()
}

async fn start(network: &Network, name: &str) -> Arc<Node> {
    let node = Node::builder(name).start(schema(), network.link(name)).await;
    Arc::new(node.unwrap())
}

async fn start_at(network: &Network, name: &str, time: Duration) -> Arc<Node> {
    let node = Node::builder(name).wall_clock(move || SystemTime::UNIX_EPOCH + time);
    Arc::new(node.start(schema(), network.link(name)).await.unwrap())
}

fn touch(text: &str) -> [Update; 1] {
    [Update::touch(text.parse().unwrap())]
}

fn delete(text: &str) -> [Update; 1] {
    [Update::delete(text.parse().unwrap())]
}

fn plan() -> Filter {
    Filter::of_type("doc").id("plan").relation("reader")
}

fn sees_alice(node: &Node) -> bool {
    node.read(&plan(), &node.clock()).unwrap().len() == 1
}

async fn reached(node: &Arc<Node>, token: &RevisionToken) {
    let reader = SnapshotReader::with_timeout(Arc::clone(node), Duration::from_secs(3600));
    reader.wait_for(token, ReadMode::AtLeast).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_write_in_the_west_is_read_in_the_east_with_its_token() {
    let network = Network::new();
    network.delay(DELAY);
    let (west, east) = (start(&network, "west").await, start(&network, "east").await);
    reached(&west, &east.current_token()).await;
    let written = west.write(touch(ALICE)).await.unwrap();
    assert!(sees_alice(&west) && !sees_alice(&east));

    let reader = SnapshotReader::new(Arc::clone(&east));
    let before = Instant::now();
    assert_eq!(reader.read_at_token(&plan(), &written.token).await.unwrap().len(), 1);
    assert_eq!(before.elapsed(), DELAY);
    assert!(sees_alice(&east));
    assert_eq!(east.lag(&written.token).iter().map(|(_, lag)| lag).sum::<u64>(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_names_the_nodes_that_are_behind() {
    let network = Network::new();
    let (west, east) = (start(&network, "west").await, start(&network, "east").await);
    network.cut("west", "east");
    let written = west.write(touch(ALICE)).await.unwrap();
    let reader = SnapshotReader::with_timeout(Arc::clone(&east), Duration::from_millis(100));
    let read = reader.read_at_least(&plan(), &written.token).await;
    let Err(ReadError::Timeout { behind, .. }) = read else {
        panic!("{read:?}")
    };
    let [behind] = behind.nodes() else { panic!("{behind}") };
    assert_eq!(
        (behind.node.as_str(), behind.requested, behind.reached),
        (west.id(), 2, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_token_far_ahead_or_of_another_group_is_refused_at_once() {
    let network = Network::new();
    let (west, east) = (start(&network, "west").await, start(&network, "east").await);
    reached(&east, &west.current_token()).await;
    let reader = SnapshotReader::new(Arc::clone(&east));
    let begun = Instant::now();
    for number in [10_002, u64::MAX] {
        let ahead = reader
            .read_at_least(&plan(), &RevisionToken::new(west.id(), number))
            .await;
        assert!(
            matches!(ahead, Err(ReadError::TooFarAhead { known: 1, .. })),
            "{ahead:?}"
        );
    }
    let elsewhere = Network::new();
    let other = start(&elsewhere, "west").await;
    let foreign = reader.read_at_least(&plan(), &other.current_token()).await;
    assert_eq!(foreign, Err(ReadError::Foreign));
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_revocation_by_who_saw_the_grant_wins_however_the_clocks_differ() {
    let network = Network::new();
    let west = start_at(&network, "west", Duration::from_secs(1_000_000)).await;
    let east = start_at(&network, "east", Duration::from_secs(1)).await;
    let granted = west.write(touch(ALICE)).await.unwrap();
    let revoked = east.write_if(delete(ALICE), &[], Some(&granted.token)).await.unwrap();
    reached(&west, &revoked.token).await;
    assert!(!sees_alice(&west) && !sees_alice(&east));
    // Concurrent writes: the later timestamp wins, although it is written first.
    network.cut("west", "east");
    network.cut("east", "west");
    let there = east.write(touch(ALICE)).await.unwrap();
    let here = west.write(touch("doc:plan#reader@user:bob")).await.unwrap();
    let here = west
        .write_if(delete("doc:plan#reader@user:bob"), &[], Some(&here.token))
        .await
        .unwrap();
    network.heal_all();
    reached(&west, &there.token).await;
    reached(&east, &here.token).await;
    assert!(sees_alice(&west) && sees_alice(&east));
}

#[tokio::test(start_paused = true)]
async fn a_node_gets_its_own_writes_back_when_it_is_started_again() {
    let network = Network::new();
    let (west, east) = (start(&network, "west").await, start(&network, "east").await);
    let written = west.write(touch(ALICE)).await.unwrap();
    drop(west);
    let west = start(&network, "west").await;
    assert!(sees_alice(&west));
    let again = west.write(delete(ALICE)).await.unwrap();
    assert_eq!(again.number, written.number + 1);
    reached(&east, &again.token).await;
    assert!(!sees_alice(&east));
}

#[tokio::test(start_paused = true)]
async fn reads_of_a_window_see_what_a_node_had_when_it_started() {
    let network = Network::new();
    network.delay(DELAY);
    let window = Duration::from_secs(5);
    let (west, east) = (start(&network, "west").await, start(&network, "east").await);
    assert!(west.schema(&west.quantized_clock(window)).is_ok());
    let written = west.write(touch(ALICE)).await.unwrap();
    reached(&east, &written.token).await;
    drop(east);
    network.forget_arrived("east");
    let east = start(&network, "east").await;
    assert_eq!(east.read(&plan(), &east.quantized_clock(window)).unwrap().len(), 1);
    assert_eq!(east.quantized_clock(window), east.clock());
}

#[tokio::test(start_paused = true)]
async fn a_write_is_not_visible_before_it_is_stored() {
    let network = Network::new();
    let west = start(&network, "west").await;
    network.append_delay(Duration::from_secs(60));
    let unstored = west.write(touch(ALICE)).await;
    assert!(
        matches!(unstored, Err(NodeWriteError::Unacknowledged { .. })),
        "{unstored:?}"
    );
    assert!(!sees_alice(&west));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(sees_alice(&west));
}

#[tokio::test(start_paused = true)]
async fn a_new_node_starts_from_a_snapshot() {
    let network = Network::new();
    let west = Node::builder("west").snapshot_every(10);
    let west = Arc::new(west.start(schema(), network.link("west")).await.unwrap());
    for number in 0..25 {
        west.write(touch(&format!("doc:plan#reader@user:u{number}")))
            .await
            .unwrap();
        west.write(delete(&format!("doc:plan#reader@user:u{number}")))
            .await
            .unwrap();
    }
    let written = west.write(touch(ALICE)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let east = start(&network, "east").await;
    assert!(sees_alice(&east));
    let old = RevisionToken::new(west.id(), 3);
    let reader = SnapshotReader::new(Arc::clone(&east));
    let expired = reader.read_at_token(&plan(), &old).await;
    assert!(
        matches!(&expired, Err(ReadError::Revision(RevisionError::SnapshotExpired { node, .. })) if node == west.id()),
        "{expired:?}"
    );
    assert_eq!(reader.read_at_token(&plan(), &written.token).await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn deletions_are_forgotten_when_every_node_has_seen_them() {
    let network = Network::new();
    let small = || Node::builder("west").store(crate::store::Store::builder().max_revisions(2));
    let west = small()
        .start(schema(), network.link("west") as Arc<dyn Link>)
        .await
        .unwrap();
    let east = start(&network, "east").await;
    let west = Arc::new(west);
    network.cut("west", "east");
    for _ in 0..5 {
        west.write(touch(ALICE)).await.unwrap();
        west.write(delete(ALICE)).await.unwrap();
    }
    let last = west.write(touch("doc:other#reader@user:bob")).await.unwrap();
    let last = west
        .write_if(touch("doc:other#reader@user:bob"), &[], Some(&last.token))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(west.stats().unsettled_deletions > 0);
    network.heal_all();
    reached(&east, &last.token).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    west.write(touch("doc:other#reader@user:bob")).await.unwrap();
    assert_eq!(west.stats().unsettled_deletions, 0);
}

#[test]
fn a_snapshot_deletes_what_it_no_longer_has() {
    let now = Instant::now();
    let mut state = State::new("west".into(), true, now);
    let east = state.nodes.find_or_add("east").unwrap();
    let stamp = |number, node| Stamp {
        time: number,
        number,
        node,
    };
    let bob = "doc:plan#reader@user:bob";
    state.join_group(schema(), now);
    state.acknowledge(1, now);
    state.apply(
        stamp(1, east),
        Clock::default().at(),
        Written::Updates(&touch(ALICE).into()),
        now,
    );
    state.write(touch(bob).into(), &[], 9, now).unwrap();

    // Meanwhile east has deleted it, and has forgotten the deletion.
    let mut clock = Clock::default();
    clock.set(east, 2);
    let carol = "doc:plan#reader@user:carol".parse().unwrap();
    let version = Version {
        stamp: stamp(2, east),
        exists: true,
    };
    state.take_over(
        Taken {
            clock,
            time: 2,
            schemas: Vec::new(),
            relationships: vec![(carol, version)],
        },
        now,
    );
    state.acknowledge(2, now);
    assert_eq!(state.clock().of(OWN), 2);
    let found = state.read(&plan(), state.clock()).unwrap();
    let found: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found, [bob, "doc:plan#reader@user:carol"]);
}

#[test]
fn a_state_at_the_end_of_its_numbers_refuses_writes() {
    let now = Instant::now();
    let mut state = State::new("west".into(), true, now);
    let east = state.nodes.find_or_add("east").unwrap();
    state.join_group(schema(), now);
    state.acknowledge(1, now);
    let last = Stamp {
        time: u64::MAX,
        number: u64::MAX,
        node: east,
    };
    let mut saw = Clock::default();
    saw.set(east, u64::MAX - 1);
    state.apply(last, saw.at(), Written::Updates(&touch(ALICE).into()), now);
    let refused = state.write(delete(ALICE).into(), &[], 1, now);
    assert_eq!(refused.unwrap_err(), WriteError::Exhausted);
    assert_eq!(state.read(&plan(), state.clock()).unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn tokens_of_any_shape_get_a_clear_error() {
    let network = Network::new();
    let west = start(&network, "west").await;
    let reader = SnapshotReader::with_timeout(Arc::clone(&west), Duration::from_millis(10));
    let of_group = |name: &str| format!("{name}@{}", network.link("west").group());
    let many = (0..1_000).map(|number| (of_group(&format!("n{number}")), 1));
    let many = RevisionToken::with_vector_clock(of_group("n0"), 1, many);
    let Err(ReadError::Timeout { behind, .. }) = reader.read_at_least(&plan(), &many).await else {
        panic!("no node has such a clock")
    };
    assert_eq!(behind.nodes().len(), 1_000);
    assert!(behind.to_string().ends_with("and of 996 more nodes"), "{behind}");

    for name in ["", "\n", "a\"b", "n\u{0}", "ключ", "a@b", &"x".repeat(10_000)] {
        let token = RevisionToken::new(of_group(name), u64::MAX);
        let refused = reader.read_at_least(&plan(), &token).await.unwrap_err();
        assert!(matches!(refused, ReadError::TooFarAhead { .. }), "{refused}");
        let text = refused.to_string();
        assert!(text.len() < 800 && !text.contains(['\n', '\0']), "{text}");
        assert!(
            reader
                .read_at_least(&plan(), &RevisionToken::new(name, 1))
                .await
                .is_err()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_node_does_not_write_before_all_others_know_of_it() {
    let network = Network::new();
    network.delay(DELAY);
    let start = async |name: &str| {
        let small = Node::builder(name).store(crate::store::Store::builder().max_revisions(2));
        Arc::new(small.start(schema(), network.link(name)).await.unwrap())
    };
    let (west, east) = (start("west").await, start("east").await);
    let granted = west.write(touch(ALICE)).await.unwrap();
    reached(&east, &granted.token).await;
    let south = start("south").await;
    for other in ["west", "east"] {
        network.cut("south", other);
        network.cut(other, "south");
    }
    let again = south.write(touch(ALICE)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;

    // The other two would forget this deletion, if they did not know that a third node has not seen it.
    west.write(delete(ALICE)).await.unwrap();
    for number in 0..5 {
        let other = west
            .write(touch(&format!("doc:plan#reader@user:u{number}")))
            .await
            .unwrap();
        reached(&east, &other.token).await;
        let other = east
            .write(touch(&format!("doc:plan#reader@user:v{number}")))
            .await
            .unwrap();
        reached(&west, &other.token).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    network.heal_all();
    for node in [&west, &east, &south] {
        for other in [&west.current_token(), &east.current_token(), &again.token] {
            reached(node, other).await;
        }
        let found = node.read(&plan(), &node.clock()).unwrap();
        assert!(
            !found.iter().any(|found| found.to_string() == ALICE),
            "{} has it",
            node.id()
        );
    }
}
