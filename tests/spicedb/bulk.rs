//! Bulks: stored answers and the upstream's answers are merged into one snapshot.

use std::time::Duration;

use proptest::prelude::*;
use tokio::time::advance;
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie_testing::frame::unframed;
use tower_zookie_testing::grpc::{INVALID_ARGUMENT, OK, Reply};
use tower_zookie_testing::model::each;
use tower_zookie_testing::spicedb::Client;
use tower_zookie_testing::spicedb::messages::{
    CheckBulkPermissionsRequest, CheckBulkPermissionsRequestItem, PairResponse, Requirement, ZedToken, at_least, bulk,
    check, exactly, full, object,
};

use crate::server::Server;

fn decisions(reply: &Reply) -> Vec<i32> {
    let decision = |pair: tower_zookie_testing::spicedb::messages::CheckBulkPermissionsPair| match pair.response {
        Some(PairResponse::Item(item)) => item.permissionship,
        Some(PairResponse::Error(error)) => -error.code,
        None => 0,
    };
    reply.bulk().pairs.into_iter().map(decision).collect()
}

#[tokio::test]
async fn a_bulk_from_memory_is_byte_identical() {
    for method in [
        "PermissionsService/CheckBulkPermissions",
        "ExperimentalService/BulkCheckPermission",
    ] {
        let server = Server::new(Engine::Postgres);
        let client = Client::new(&server, Engine::Postgres);
        server.set("plan", "ada", true);
        server.quantize();
        let request = bulk(
            &[("plan", "ada"), ("plan", "bob"), ("plan", "ada"), ("map", "ada")],
            None,
        );
        let asked = client.call(method, &request).await;
        let hit = client.call(method, &request).await;
        assert!(hit.is_hit() && !asked.is_hit());
        assert_eq!((decisions(&hit), &hit.body), (vec![2, 1, 2, 1], &asked.body));
        assert_eq!(hit.header("zookie"), asked.header("zookie"));
        let trailers = hit.trailers.unwrap();
        assert_eq!(trailers["io.spicedb.respmeta.dispatchedoperationscount"], "0");
        assert_eq!((&trailers["grpc-status"], trailers.len()), (&"0".parse().unwrap(), 4));
    }
}

#[tokio::test]
async fn rule_16_missing_items_are_asked_at_the_others_revision() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    let granted = client.set("plan", "ada", true).await;
    server.quantize();
    client.bulk(&bulk(&[("plan", "ada"), ("map", "ada")], None)).await;
    client.set("plan", "bob", true).await;
    server.quantize();
    server.calls();
    let items = [
        ("plan", "bob"),
        ("plan", "ada"),
        ("plan", "bob"),
        ("map", "ada"),
        ("map", "bob"),
    ];
    let reply = client.bulk(&bulk(&items, at_least(&granted))).await;
    assert_eq!(decisions(&reply), [1, 2, 1, 1, 1], "bob was no viewer then");
    assert_eq!(reply.bulk().checked_at, Some(ZedToken::new(&granted)));
    assert_eq!(reply.header("zookie"), Some(&*granted));
    let request = bulk(&items, None);
    let echoed: Vec<_> = reply
        .bulk()
        .pairs
        .into_iter()
        .map(|pair| pair.request.unwrap())
        .collect();
    assert_eq!(echoed, request.items, "in request order, duplicates in place");
    let calls = server.calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(
        calls[0].consistency,
        Some(Requirement::AtExactSnapshot(ZedToken::new(&granted)))
    );
    let forwarded: CheckBulkPermissionsRequest = unframed(&calls[0].body);
    assert_eq!(forwarded.items.len(), 3, "bob's, each as often as it stands there");
    assert!(
        reply.cache_status().contains("2 of 5 from the cache"),
        "{}",
        reply.cache_status()
    );
}

#[tokio::test]
async fn rule_16_unrepeatable_bulks_are_asked_whole() {
    for engine in [Engine::Memory, Engine::MySql] {
        let server = Server::new(engine);
        let client = Client::new(&server, engine);
        let first = bulk(&[("plan", "ada"), ("map", "ada")], None);
        client.bulk(&first).await;
        server.calls();
        for request in [&first, &bulk(&[("plan", "ada"), ("plan", "bob")], None)] {
            assert!(!client.bulk(request).await.is_hit());
            let calls = server.calls();
            assert_eq!((calls.len(), calls[0].items, &calls[0].consistency), (1, 2, &None));
        }
        assert!(
            client.bulk(&bulk(&[("map", "ada")], None)).await.is_hit(),
            "one item is one snapshot"
        );
    }
}

#[tokio::test]
async fn rule_16_after_a_collected_revision_the_bulk_is_asked_whole() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    client.bulk(&bulk(&[("plan", "ada")], None)).await;
    // Restored to before that revision.
    server.restore(900);
    let reply = client.bulk(&bulk(&[("plan", "ada"), ("plan", "bob")], None)).await;
    assert_eq!((reply.status(), decisions(&reply)), (OK, vec![1, 1]));
}

#[tokio::test]
async fn rule_11_an_items_error_is_forwarded_and_not_stored() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    let mut request = bulk(&[("plan", "ada"), ("plan", "bob")], None);
    request.items.insert(
        1,
        CheckBulkPermissionsRequestItem {
            resource: object("planet", "earth"),
            ..request.items[0].clone()
        },
    );
    for _ in 0..2 {
        let reply = client.bulk(&request).await;
        assert_eq!(decisions(&reply), [1, -9, 1]);
        assert!(!reply.is_hit());
    }
    let calls = server.calls();
    assert_eq!(
        calls.iter().map(|call| call.items).collect::<Vec<_>>(),
        [3, 1],
        "the error is asked again"
    );
}

#[tokio::test]
async fn rule_15_bulks_of_zero_ten_thousand_and_one_more_items() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    let names: Vec<String> = (0..10_001).map(|n| format!("d{n}")).collect();
    let items: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "ada")).collect();
    let none = client.bulk(&bulk(&[], full())).await;
    assert!(none.cache_status().starts_with("tower-zookie; fwd=bypass"));
    assert_eq!(none.bulk().pairs.len(), 0);
    let most = bulk(&items[..10_000], None);
    let (asked, hit) = (client.bulk(&most).await, client.bulk(&most).await);
    assert!(hit.is_hit() && hit.body == asked.body);
    for _ in 0..2 {
        let too_many = client.bulk(&bulk(&items, None)).await;
        assert_eq!(too_many.status(), INVALID_ARGUMENT);
        assert!(too_many.cache_status().starts_with("tower-zookie; fwd=bypass"));
    }
    assert_eq!(server.calls().len(), 4);
}

#[derive(Clone, Debug)]
enum Step {
    Set(usize, usize, bool),
    Quantize,
    Wait(u64),
    Check(usize, usize, Floor),
    Bulk(Vec<(usize, usize)>, Floor),
}

#[derive(Clone, Copy, Debug)]
enum Floor {
    None,
    /// The n-th last token that was issued.
    AtLeast(usize),
    Exactly(usize),
    Full,
}

const DOCUMENTS: [&str; 4] = ["a", "b", "c", "d"];
const USERS: [&str; 2] = ["ada", "bob"];

fn step() -> impl Strategy<Value = Step> {
    let floor = || {
        prop_oneof![
            3 => Just(Floor::None),
            3 => (0..4_usize).prop_map(Floor::AtLeast),
            1 => (0..4_usize).prop_map(Floor::Exactly),
            1 => Just(Floor::Full),
        ]
    };
    let pair = || (0..DOCUMENTS.len(), 0..USERS.len());
    prop_oneof![
        3 => (pair(), any::<bool>()).prop_map(|((document, user), views)| Step::Set(document, user, views)),
        1 => Just(Step::Quantize),
        1 => (0..7_u64).prop_map(Step::Wait),
        3 => (pair(), floor()).prop_map(|((document, user), floor)| Step::Check(document, user, floor)),
        6 => (proptest::collection::vec(pair(), 1..9), floor()).prop_map(|(items, floor)| Step::Bulk(items, floor)),
    ]
}

/// Whether there was an instant at which the server read all that a reply says, at the revision that it names.
fn read_at_once(server: &Server, items: &[(&str, &str)], reply: &Reply) -> bool {
    let at = server.point(&reply.bulk().checked_at.unwrap().token);
    let decisions = decisions(reply);
    let state = server.state();
    let of_this = state.answered.iter().filter(|answered| answered.point == at);
    let of_this: Vec<_> = of_this.collect();
    of_this.iter().any(|one| {
        items.iter().zip(&decisions).all(|((document, user), decision)| {
            let question = Some(((*document).to_owned(), (*user).to_owned()));
            of_this
                .iter()
                .any(|other| other.at == one.at && other.question == question && other.views == (*decision == 2))
        })
    })
}

/// Every bulk's reply equals the server's reply to the whole bulk at exactly the reply's revision.
async fn play(engine: Engine, steps: Vec<Step>) -> Result<usize, TestCaseError> {
    let server = Server::new(engine);
    let client = Client::new(&server, engine);
    let direct = Client::new(&server, engine);
    let mut tokens = vec![client.set("a", "ada", true).await];
    let mut partial = 0;
    for step in steps {
        // No two steps at one instant.
        advance(Duration::from_millis(1)).await;
        let consistency = |floor| match floor {
            Floor::None => None,
            Floor::AtLeast(n) => at_least(&tokens[tokens.len().saturating_sub(n + 1)]),
            Floor::Exactly(n) => exactly(&tokens[tokens.len().saturating_sub(n + 1)]),
            Floor::Full => full(),
        };
        match step {
            Step::Set(document, user, views) => {
                let token = client.set(DOCUMENTS[document], USERS[user], views).await;
                tokens.push(token);
            }
            Step::Quantize => server.quantize(),
            Step::Wait(seconds) => advance(Duration::from_secs(seconds)).await,
            Step::Check(document, user, floor) => {
                let request = check(DOCUMENTS[document], USERS[user], consistency(floor));
                client.check(&request).await;
            }
            Step::Bulk(items, floor) => {
                let items: Vec<_> = items
                    .iter()
                    .map(|(document, user)| (DOCUMENTS[*document], USERS[*user]))
                    .collect();
                let reply = client.bulk(&bulk(&items, consistency(floor))).await;
                partial += usize::from(reply.cache_status().contains("from the cache"));
                let at = reply.bulk().checked_at.unwrap().token;
                prop_assert_eq!(reply.header("zookie"), Some(&*at));
                if let Floor::AtLeast(n) | Floor::Exactly(n) = floor {
                    let floor = &tokens[tokens.len().saturating_sub(n + 1)];
                    prop_assert!(server.number(&at) >= server.number(floor));
                }
                if engine == Engine::Memory {
                    // Two reads of one revision may differ, but this reply was read at one instant.
                    prop_assert!(read_at_once(&server, &items, &reply), "{:?}", reply);
                    continue;
                }
                direct.handle().purge();
                let whole = direct.bulk(&bulk(&items, exactly(&at))).await;
                prop_assert!(!whole.is_hit());
                prop_assert_eq!(whole.bulk(), reply.bulk());
            }
        }
    }
    Ok(partial)
}

#[test]
fn rule_16_a_merged_bulk_equals_the_bulk_forwarded_whole() {
    let mut partial = 0;
    for engine in [Engine::Postgres, Engine::CockroachDb, Engine::MySql, Engine::Memory] {
        let counted = std::cell::Cell::new(0);
        let steps = prop::collection::vec(step(), 1..60);
        each(&format!("{engine:?}"), 64, &steps, async |steps| {
            counted.set(counted.get() + play(engine, steps).await?);
            Ok(())
        });
        partial += counted.get();
    }
    assert!(partial > 100, "only {partial} bulks were served in part");
}
