//! What one replica writes, the next check sees through another one, which has an older answer.

use tower_zookie::objects::Ancestors;
use tower_zookie::protocol::Object;
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie_testing::grpc::{ALREADY_EXISTS, FAILED_PRECONDITION, OK};
use tower_zookie_testing::spicedb::Client;
use tower_zookie_testing::spicedb::messages::{
    DELETE, DeleteRelationshipsRequest, ImportBulkRelationshipsRequest, MUST_NOT_MATCH, Precondition,
    RelationshipFilter, SubjectFilter, TOUCH, WriteRelationshipsRequest,
};

use crate::objects::world::{World, ask, create, delete, is_full, relationship, stats, touch, updates, write};

const ENGINES: [Engine; 4] = [Engine::Postgres, Engine::CockroachDb, Engine::MySql, Engine::Memory];

const GRANT: &str = "document:plan#viewer@user:ada";
const MEMBER: &str = "group:eng#member@user:ada";
const GROUP: &str = "document:plan#viewer@group:eng#member";

/// Both replicas have an older answer. Then the first one writes, and the second one is asked.
async fn is_seen(world: &World, had: &[&str], writes: impl AsyncFnOnce(&Client) -> i32, expected: bool, status: i32) {
    world.had(had).await;
    for client in [&world.a, &world.b] {
        assert_eq!(ask(client).await.has(), !expected);
        assert!(ask(client).await.is_hit());
    }
    world.server.calls();
    assert_eq!(writes(&world.a).await, status);
    world.server.calls();
    for client in [&world.b, &world.a] {
        assert_eq!(ask(client).await.has(), expected);
        assert_eq!(ask(client).await.has(), expected);
    }
    assert_eq!(stats(&world.a).not_recorded, 0);
}

async fn on_each(had: &[&str], writes: impl AsyncFn(&Client) -> i32, expected: bool) {
    for engine in ENGINES {
        let world = World::new(engine);
        is_seen(&world, had, &writes, expected, OK).await;
        let fully = world.asked().iter().filter(|asked| is_full(asked)).count();
        if matches!(engine, Engine::Postgres | Engine::CockroachDb) {
            assert_eq!(fully, 0, "{engine:?}: a head was read for it");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_grant_is_seen_elsewhere() {
    on_each(&[], async |client| touch(client, GRANT).await.status(), true).await;
    on_each(&[], async |client| create(client, GRANT).await.status(), true).await;
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_revocation_is_seen_elsewhere() {
    on_each(&[GRANT], async |client| delete(client, GRANT).await.status(), false).await;
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_write_is_seen_through_the_subject() {
    on_each(&[GROUP], async |client| touch(client, MEMBER).await.status(), true).await;
    on_each(
        &[GROUP, MEMBER],
        async |client| delete(client, MEMBER).await.status(),
        false,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_write_is_seen_through_an_ancestor() {
    let above = |object: Object<'_>, found: &mut dyn FnMut(Object<'_>)| {
        if object.kind == b"document" {
            found(Object::new(b"folder".as_slice(), b"work".as_slice()));
        }
    };
    for (had, operation, expected) in [
        (&["document:plan#parent@folder:work"][..], TOUCH, true),
        (
            &[
                "document:plan#parent@folder:work",
                "folder:work#viewer@group:eng#member",
            ],
            DELETE,
            false,
        ),
    ] {
        let world = World::with(Engine::Postgres, |objects| objects.ancestors(Ancestors::by(above)));
        let mut all = had.to_vec();
        all.push(MEMBER);
        let writes = async |client: &Client| {
            write(client, operation, &["folder:work#viewer@group:eng#member"])
                .await
                .status()
        };
        is_seen(&world, &all, writes, expected, OK).await;
        assert!(!world.asked().iter().any(is_full));
    }
}

async fn delete_by(client: &Client, filter: RelationshipFilter) -> i32 {
    let request = DeleteRelationshipsRequest {
        relationship_filter: Some(filter),
    };
    client
        .call("PermissionsService/DeleteRelationships", &request)
        .await
        .status()
}

fn filter(id: &str, subject: Option<&str>) -> RelationshipFilter {
    RelationshipFilter {
        resource_type: "document".to_owned(),
        optional_resource_id: id.to_owned(),
        optional_relation: String::new(),
        optional_subject_filter: subject.map(|id| SubjectFilter {
            subject_type: "user".to_owned(),
            optional_subject_id: id.to_owned(),
        }),
    }
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_deletion_by_a_filter_is_seen_elsewhere() {
    for (id, subject) in [
        ("plan", Some("ada")),
        ("plan", Some("")),
        ("plan", None),
        ("", Some("ada")),
        ("", None),
    ] {
        on_each(
            &[GRANT],
            async |client| delete_by(client, filter(id, subject)).await,
            false,
        )
        .await;
        let world = World::new(Engine::Postgres);
        delete_by(&world.a, filter(id, subject)).await;
        let is_pinned = (id, subject) == ("plan", Some("ada"));
        assert_eq!(
            world.shared.record("=store").await.tokens.is_empty(),
            is_pinned,
            "{id} {subject:?}"
        );
        assert_eq!(
            world.shared.record("user.ada").await.tokens.is_empty(),
            !is_pinned,
            "{id} {subject:?}"
        );
    }
    on_each(
        &[GRANT],
        async |client| delete_by(client, RelationshipFilter::default()).await,
        false,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn rule_01_an_import_is_seen_elsewhere() {
    let import = async |client: &Client| {
        let request = ImportBulkRelationshipsRequest {
            relationships: vec![relationship(GRANT)],
        };
        client
            .call("PermissionsService/ImportBulkRelationships", &request)
            .await
            .status()
    };
    on_each(&[], import, true).await;
    let world = World::new(Engine::Postgres);
    world.had(&[]).await;
    import(&world.a).await;
    let methods: Vec<_> = world.server.calls().into_iter().map(|call| call.method).collect();
    assert_eq!(methods, ["ImportBulkRelationships", "ReadSchema", "ReadSchema"]);
    assert_eq!(stats(&world.a).heads_recorded, 1);
    assert!(!world.shared.record("=store").await.tokens.is_empty());
}

#[tokio::test(start_paused = true)]
async fn rule_01_an_import_whose_head_was_asked_for_earlier_is_seen() {
    let world = World::new(Engine::Postgres);
    world.server.share_head(1);
    let import = async |client: &Client| {
        let request = ImportBulkRelationshipsRequest {
            relationships: vec![relationship(GRANT)],
        };
        client
            .call("PermissionsService/ImportBulkRelationships", &request)
            .await
            .status()
    };
    is_seen(&world, &[], import, true, OK).await;
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_write_for_all_users_is_seen_by_each() {
    let wildcard = "document:plan#viewer@user:*";
    on_each(&[], async |client| touch(client, wildcard).await.status(), true).await;
    on_each(
        &[wildcard],
        async |client| delete(client, wildcard).await.status(),
        false,
    )
    .await;
}

/// The first attempt was made, and its process ended before it was recorded.
async fn crashed(world: &World) {
    let direct = Client::direct(&world.server);
    assert_eq!(create(&direct, GRANT).await.status(), OK);
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_retried_write_that_exists_already_is_seen() {
    for engine in ENGINES {
        let world = World::new(engine);
        let writes = async |client: &Client| {
            crashed(&world).await;
            create(client, GRANT).await.status()
        };
        is_seen(&world, &[], writes, true, ALREADY_EXISTS).await;
        assert_eq!(stats(&world.a).heads_recorded, 1, "{engine:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_retried_write_whose_condition_failed_is_seen() {
    for engine in ENGINES {
        let world = World::new(engine);
        let writes = async |client: &Client| {
            crashed(&world).await;
            let request = WriteRelationshipsRequest {
                optional_preconditions: vec![Precondition {
                    operation: MUST_NOT_MATCH,
                    filter: Some(filter("plan", Some("ada"))),
                }],
                ..updates(TOUCH, &[GRANT])
            };
            client
                .call("PermissionsService/WriteRelationships", &request)
                .await
                .status()
        };
        is_seen(&world, &[], writes, true, FAILED_PRECONDITION).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_rejected_write_records_nothing() {
    let world = World::new(Engine::Postgres);
    for status in [3, 5, 7, 11, 12, 16] {
        world.server.state().down = Some(status);
        assert_eq!(touch(&world.a, GRANT).await.status(), status);
    }
    assert!(world.shared.script().updates.is_empty());
    world.server.state().down = None;
    assert_eq!(stats(&world.a).left_unsettled, 0);
}
