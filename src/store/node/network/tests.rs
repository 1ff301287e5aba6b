use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use futures_core::Stream;
use tokio::time::{Instant, advance};

use crate::revision::VectorClock;
use crate::store::node::network::{AppendFailure, Network};
use crate::store::node::{Body, Entry, Incoming, Link, LinkError, Opened, Snapshot};
use crate::store::write::Update;

const SECOND: Duration = Duration::from_secs(1);

fn entry(node: &str, number: u64) -> Entry {
    let user = format!("doc:plan#reader@user:{node}{number}");
    Entry {
        node: node.into(),
        number,
        time: number,
        saw: VectorClock::default(),
        body: Body::Updates([Update::touch(user.parse().unwrap())].into()),
    }
}

fn clock(entries: &[(&str, u64)]) -> VectorClock {
    entries.iter().copied().collect()
}

fn snapshot(entries: &[(&str, u64)]) -> Snapshot {
    Snapshot {
        clock: clock(entries),
        time: 9,
        schemas: Vec::new(),
        relationships: Vec::new(),
    }
}

async fn append(link: &Arc<dyn Link>, node: &str, numbers: impl IntoIterator<Item = u64>) {
    for number in numbers {
        link.append(&[entry(node, number)]).await.unwrap();
    }
}

async fn open(link: &Arc<dyn Link>, node: &str) -> Opened {
    link.open(node, &VectorClock::default()).await.unwrap()
}

/// What has arrived by now: entries as `a1`, reports as `a:` and their clock.
fn arrived(opened: &mut Opened) -> Vec<String> {
    std::iter::from_fn(|| next(opened).map(|item| item.unwrap())).collect()
}

fn next(opened: &mut Opened) -> Option<Result<String, String>> {
    let mut cx = Context::from_waker(Waker::noop());
    let next = match opened.incoming.as_mut().poll_next(&mut cx) {
        std::task::Poll::Ready(next) => next?,
        std::task::Poll::Pending => return None,
    };
    Some(match next {
        Ok(Incoming::Entry(entry)) => Ok(format!("{}{}", entry.node, entry.number)),
        Ok(Incoming::Reached { node, clock }) => Ok(format!("{node}:{}", clock.get(&node))),
        Err(error) => Err(format!("{error}: {}", std::error::Error::source(&error).unwrap())),
    })
}

async fn wait(opened: &mut Opened) -> Incoming {
    let mut stream = pin!(&mut opened.incoming);
    let next = std::future::poll_fn(|cx| Pin::as_mut(&mut stream).poll_next(cx)).await;
    next.unwrap().unwrap()
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

fn two() -> (Network, Arc<dyn Link>, Arc<dyn Link>) {
    let network = Network::named("");
    let (a, b) = (network.link("a"), network.link("b"));
    (network, a, b)
}

#[tokio::test(start_paused = true)]
async fn entries_arrive_in_order_after_the_delay() {
    let (network, a, b) = two();
    network.delay(2 * SECOND);
    network.set_delay("a", "b", SECOND);
    let mut at_b = open(&b, "b").await;
    let began = Instant::now();
    append(&a, "a", 1..=2).await;
    assert_eq!(arrived(&mut at_b), [""; 0]);
    assert!(matches!(wait(&mut at_b).await, Incoming::Entry(entry) if entry.number == 1));
    assert_eq!(began.elapsed(), SECOND);
    network.set_delay("a", "b", Duration::ZERO);
    append(&a, "a", [3]).await;
    assert_eq!(arrived(&mut at_b), ["a2", "a3"]);

    append(&b, "b", [1]).await;
    let mut at_a = open(&a, "a").await;
    assert_eq!(arrived(&mut at_a), ["a1", "a2", "a3"]);
    assert!(matches!(wait(&mut at_a).await, Incoming::Entry(entry) if &*entry.node == "b"));
    assert_eq!(began.elapsed(), 3 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_later_entry_never_overtakes_an_earlier_one() {
    let (network, a, b) = two();
    network.delay(SECOND);
    append(&a, "a", [1]).await;
    network.set_delay("a", "b", Duration::ZERO);
    append(&a, "a", [2]).await;
    let mut at_b = open(&b, "b").await;
    assert_eq!(arrived(&mut at_b), [""; 0]);
    advance(SECOND).await;
    assert_eq!(arrived(&mut at_b), ["a1", "a2"]);
}

#[tokio::test(start_paused = true)]
async fn a_cut_way_delays_entries_and_loses_none() {
    let (network, a, b) = two();
    network.delay(SECOND);
    let (mut at_a, mut at_b) = (open(&a, "a").await, open(&b, "b").await);
    append(&a, "a", [1]).await;
    advance(SECOND / 2).await;
    network.cut("a", "b");
    append(&a, "a", [2]).await;
    append(&b, "b", [1]).await;
    advance(10 * SECOND).await;
    assert_eq!(arrived(&mut at_b), ["b1"]);
    assert_eq!(sorted(arrived(&mut at_a)), ["a1", "a2", "b1"], "the way back is open");
    network.heal("a", "b");
    assert_eq!(arrived(&mut at_b), [""; 0]);
    advance(SECOND).await;
    assert_eq!(arrived(&mut at_b), ["a1", "a2"]);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_reader_is_woken_by_an_append_and_by_a_healed_way() {
    let (network, a, b) = two();
    let mut at_b = open(&b, "b").await;
    let (next, ()) = tokio::join!(wait(&mut at_b), append(&a, "a", [1]));
    assert!(matches!(next, Incoming::Entry(entry) if entry.number == 1));
    network.cut("a", "b");
    append(&a, "a", [2]).await;
    let (next, ()) = tokio::join!(wait(&mut at_b), async { network.heal_all() });
    assert!(matches!(next, Incoming::Entry(entry) if entry.number == 2));
}

#[tokio::test(start_paused = true)]
async fn a_restarted_node_has_its_own_log_and_what_had_arrived() {
    let (network, a, b) = two();
    append(&a, "a", [1]).await;
    append(&b, "b", [1]).await;
    drop((a, b));
    network.delay(SECOND);
    append(&network.link("a"), "a", [2]).await;
    let b = network.link("b");
    let mut at_b = open(&b, "b").await;
    assert_eq!(at_b.ends, clock(&[("a", 2), ("b", 1)]), "also of what is under way");
    assert_eq!(sorted(arrived(&mut at_b)), ["a1", "b1"]);

    network.forget_arrived("b");
    let mut at_b = open(&b, "b").await;
    assert_eq!(at_b.ends, clock(&[("a", 2), ("b", 1)]));
    assert_eq!(arrived(&mut at_b), ["b1"]);
    advance(SECOND).await;
    assert_eq!(arrived(&mut at_b), ["a1", "a2"]);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_can_not_learn_the_end_of_a_log_does_not_start() {
    let (network, a, b) = two();
    for (from, to) in [("a", "b"), ("b", "a")] {
        network.cut(from, to);
        let ends = open(&b, "b").await.ends;
        assert_eq!(ends, VectorClock::default(), "there is no log yet");
        network.heal_all();
    }
    append(&a, "a", [1]).await;
    for (from, to) in [("a", "b"), ("b", "a")] {
        network.cut(from, to);
        let opened = b.open("b", &clock(&[("a", 1)])).await;
        assert!(
            matches!(opened, Err(LinkError::Unavailable(_))),
            "cut from {from} to {to}"
        );
        network.heal_all();
    }
    assert_eq!(open(&b, "b").await.ends, clock(&[("a", 1)]));
}

#[tokio::test(start_paused = true)]
async fn all_others_know_of_a_node_when_it_has_joined() {
    let (network, a, b) = two();
    network.delay(SECOND);
    let mut at_b = open(&b, "b").await;
    append(&b, "b", [1]).await;
    b.report("b", &clock(&[("b", 1)])).await.unwrap();
    let joined = Entry {
        body: Body::Joined("".into()),
        ..entry("a", 1)
    };
    for (from, to) in [("a", "b"), ("b", "a")] {
        network.cut(from, to);
        let refused = a.append(std::slice::from_ref(&joined)).await;
        assert!(
            matches!(refused, Err(LinkError::Unavailable(_))),
            "cut from {from} to {to}"
        );
        network.heal_all();
    }
    a.append(&[joined]).await.unwrap();
    append(&a, "a", [2]).await;
    assert_eq!(
        arrived(&mut at_b),
        ["a1", "b1"],
        "before all else, and the next entry later"
    );
    advance(SECOND).await;
    assert_eq!(arrived(&mut at_b), ["a2"]);
}

#[tokio::test(start_paused = true)]
async fn reading_begins_after_the_clock() {
    let (_, a, b) = two();
    append(&a, "a", 1..=3).await;
    append(&b, "b", 1..=2).await;
    let mut at_b = b.open("b", &clock(&[("a", 2), ("b", 2)])).await.unwrap();
    assert_eq!(at_b.ends, clock(&[("a", 3), ("b", 2)]));
    assert_eq!(arrived(&mut at_b), ["a3"]);
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_the_log_has_is_not_appended_again() {
    let (_, a, b) = two();
    append(&a, "a", [1]).await;
    a.append(&[entry("a", 1), entry("a", 2)]).await.unwrap();
    assert_eq!(arrived(&mut open(&b, "b").await), ["a1", "a2"]);
    assert!(matches!(
        a.append(&[entry("a", 4)]).await,
        Err(LinkError::Unavailable(_))
    ));
    assert!(matches!(
        a.append(&[entry("b", 1)]).await,
        Err(LinkError::Unavailable(_))
    ));
}

#[tokio::test(start_paused = true)]
async fn the_second_of_two_writers_of_one_log_takes_it() {
    let (network, a, _) = two();
    append(&a, "a", [1]).await;
    let other = network.link("a");
    append(&other, "a", [2]).await;
    assert!(matches!(a.append(&[entry("a", 2)]).await, Err(LinkError::Taken)));
    assert!(matches!(a.append(&[entry("a", 1)]).await, Err(LinkError::Taken)));
    append(&other, "a", [2, 3]).await;
    let changed = Entry {
        time: 77,
        ..entry("a", 3)
    };
    assert!(matches!(other.append(&[changed]).await, Err(LinkError::Taken)));
}

#[tokio::test(start_paused = true)]
async fn a_failed_append_has_stored_nothing_or_some_or_all() {
    for (failure, stored) in [
        (AppendFailure::NothingStored, 0),
        (AppendFailure::FirstStored, 1),
        (AppendFailure::AllStored, 2),
    ] {
        let (network, a, b) = two();
        network.fail_appends("a", Some(failure));
        let entries = [entry("a", 1), entry("a", 2)];
        assert!(matches!(a.append(&entries).await, Err(LinkError::Unavailable(_))));
        assert_eq!(arrived(&mut open(&b, "b").await).len(), stored);
        network.fail_appends("a", None);
        a.append(&entries).await.unwrap();
        assert_eq!(arrived(&mut open(&b, "b").await), ["a1", "a2"]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_append_that_is_given_up_has_stored_all_or_nothing() {
    let (network, a, b) = two();
    network.append_delay(SECOND);
    for (given_up_after, stored) in [(SECOND / 4, 0), (SECOND * 3 / 4, 1)] {
        let given_up = tokio::time::timeout(given_up_after, a.append(&[entry("a", 1)])).await;
        assert!(given_up.is_err());
        assert_eq!(arrived(&mut open(&b, "b").await).len(), stored);
    }
}

#[tokio::test(start_paused = true)]
async fn reports_travel_and_are_lost_where_the_way_is_cut() {
    let (network, a, b) = two();
    network.delay(SECOND);
    let mut at_b = open(&b, "b").await;
    a.report("a", &clock(&[("a", 1)])).await.unwrap();
    a.report("a", &clock(&[("a", 2)])).await.unwrap();
    assert_eq!(arrived(&mut at_b), [""; 0]);
    advance(SECOND).await;
    assert_eq!(arrived(&mut at_b), ["a:2"], "the newest is enough");
    assert_eq!(arrived(&mut at_b), [""; 0]);
    network.cut("a", "b");
    a.report("a", &clock(&[("a", 3)])).await.unwrap();
    network.heal("a", "b");
    advance(10 * SECOND).await;
    assert_eq!(arrived(&mut at_b), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_trims_the_logs_and_starts_new_nodes() {
    let (network, a, b) = two();
    append(&a, "a", 1..=3).await;
    append(&b, "b", 1..=2).await;
    a.store_snapshot(&snapshot(&[("a", 2), ("b", 2)])).await.unwrap();
    a.store_snapshot(&snapshot(&[("a", 3), ("b", 1)])).await.unwrap();

    let c = network.link("c");
    let mut at_c = open(&c, "c").await;
    assert_eq!(
        at_c.snapshot.take(),
        Some(snapshot(&[("a", 2), ("b", 2)])),
        "a concurrent one is ignored"
    );
    assert_eq!(at_c.ends, clock(&[("a", 3), ("b", 2)]));
    assert_eq!(arrived(&mut at_c), ["a3"]);
    append(&b, "b", [3]).await;
    assert_eq!(arrived(&mut at_c), ["b3"]);

    let mut at_a = a.open("a", &clock(&[("a", 2), ("b", 2)])).await.unwrap();
    assert_eq!(at_a.snapshot, None, "the logs have all that comes after this clock");
    assert_eq!(sorted(arrived(&mut at_a)), ["a3", "b3"]);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_needs_trimmed_entries_has_to_open_again() {
    let (network, a, b) = two();
    network.delay(SECOND);
    let mut at_b = open(&b, "b").await;
    append(&a, "a", 1..=2).await;
    a.store_snapshot(&snapshot(&[("a", 2)])).await.unwrap();
    advance(SECOND).await;
    let ended = next(&mut at_b).unwrap().unwrap_err();
    assert!(ended.contains("only in the snapshot"), "{ended}");
    assert_eq!(open(&b, "b").await.snapshot, Some(snapshot(&[("a", 2)])));
}

#[tokio::test(start_paused = true)]
async fn a_node_without_a_way_to_another_reaches_no_snapshot() {
    let (network, a, _) = two();
    append(&a, "a", 1..=2).await;
    network.cut("b", "a");
    let stored = a.store_snapshot(&snapshot(&[("a", 1)])).await;
    assert!(matches!(stored, Err(LinkError::Unavailable(_))));
    network.heal("b", "a");
    a.store_snapshot(&snapshot(&[("a", 1)])).await.unwrap();
    network.cut("b", "a");
    let _c = network.link("c");
    let stored = a.store_snapshot(&snapshot(&[("a", 2)])).await;
    assert!(stored.is_ok(), "there is a way to c");
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_reader_opens_again() {
    let (network, a, b) = two();
    append(&a, "a", [1]).await;
    let mut at_b = open(&b, "b").await;
    network.interrupt("b");
    assert!(next(&mut at_b).unwrap().unwrap_err().contains("interrupted"));
    assert_eq!(next(&mut at_b), None);
    assert_eq!(arrived(&mut open(&b, "b").await), ["a1"]);
}

#[tokio::test(start_paused = true)]
async fn an_unsteady_network_mixes_nodes_and_repeats_entries() {
    let network = Network::named("");
    network.unsteady(SECOND, 7);
    let links = ["a", "b", "c"].map(|name| network.link(name));
    for number in 1..=50 {
        append(&links[0], "a", [number]).await;
        append(&links[1], "b", [number]).await;
    }
    let mut at_c = open(&links[2], "c").await;
    assert_eq!(arrived(&mut at_c), [""; 0]);
    advance(SECOND).await;
    let names = arrived(&mut at_c);
    let switches = names.windows(2).filter(|pair| pair[0][..1] != pair[1][..1]).count();
    assert!(switches > 10, "{names:?}");
    assert!(names.len() > 105, "{} entries, none repeated", names.len());
    for node in ["a", "b"] {
        let mut of_node: Vec<_> = names.iter().filter(|name| name.starts_with(node)).collect();
        of_node.dedup();
        let expected: Vec<_> = (1..=50).map(|number| format!("{node}{number}")).collect();
        assert!(of_node.iter().copied().eq(&expected), "{of_node:?}");
    }
}

#[tokio::test]
async fn the_group_is_random_unless_it_is_named() {
    let group = Network::new().link("a").group().to_owned();
    assert!(
        group.len() == 8 && group.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "{group}"
    );
    assert_ne!(Network::new().link("a").group(), group);
    let named = Network::named("g").link("a");
    let id = Entry {
        node: "a@g".into(),
        ..entry("a", 1)
    };
    named.append(&[id]).await.unwrap();
}
