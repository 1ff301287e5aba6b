//! Replicas with caches of their own, before one SpiceDB and one store of objects' tokens.

use std::sync::Arc;

use tower_zookie::ZookieLayerBuilder;
use tower_zookie::cache::ObjectStats;
use tower_zookie::objects::Objects;
use tower_zookie::protocol::spicedb::{Engine, SpiceDb};
use tower_zookie_testing::grpc::Reply;
use tower_zookie_testing::spicedb::Client;
use tower_zookie_testing::spicedb::messages::{
    CREATE, DELETE, ObjectReference, Relationship, RelationshipUpdate, Requirement, SubjectReference, TOUCH,
    WriteRelationshipsRequest, check, object,
};

use crate::objects::shared::Shared;
use crate::server::Server;

pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) shared: Shared,
    pub(crate) a: Client,
    pub(crate) b: Client,
}

impl World {
    /// Two replicas that look each check up.
    pub(crate) fn new(engine: Engine) -> Self {
        Self::with(engine, |objects| objects)
    }

    pub(crate) fn with(engine: Engine, set: impl Fn(Objects) -> Objects) -> Self {
        Self::of(
            engine,
            Shared::new(),
            |shared| set(Objects::immediate(Arc::new(shared))),
            |builder| builder,
        )
    }

    pub(crate) fn of(
        engine: Engine,
        shared: Shared,
        objects: impl Fn(Shared) -> Objects,
        set: impl Fn(ZookieLayerBuilder<SpiceDb>) -> ZookieLayerBuilder<SpiceDb>,
    ) -> Self {
        let server = Server::new(engine);
        let replica = || {
            let protocol = SpiceDb::new(engine);
            Client::with(&server, protocol, |builder| {
                set(builder.objects(objects(shared.clone())))
            })
        };
        let (a, b) = (replica(), replica());
        Self { server, shared, a, b }
    }

    /// Writes around all replicas, long ago.
    pub(crate) async fn had(&self, relationships: &[&str]) {
        let direct = Client::direct(&self.server);
        write(&direct, TOUCH, relationships).await;
        self.server.quantize();
        self.server.calls();
    }

    /// The consistency of the checks that were asked upstream since the last time this was read.
    pub(crate) fn asked(&self) -> Vec<Option<Requirement>> {
        let calls = self.server.calls().into_iter();
        calls
            .filter(|call| call.method.contains("Check"))
            .map(|call| call.consistency)
            .collect()
    }
}

/// What a replica counts.
pub(crate) fn stats(client: &Client) -> ObjectStats {
    client.handle().stats().objects.unwrap()
}

pub(crate) fn is_full(asked: &Option<Requirement>) -> bool {
    *asked == Some(Requirement::FullyConsistent(true))
}

/// May ada view the plan? Without a token.
pub(crate) async fn ask(client: &Client) -> Reply {
    client.check(&check("plan", "ada", None)).await
}

/// `document:plan#viewer@group:eng#member`
pub(crate) fn relationship(text: &str) -> Relationship {
    let (resource, subject) = text.split_once('@').unwrap();
    let (resource, relation) = resource.split_once('#').unwrap();
    let (subject, optional_relation) = subject.split_once('#').unwrap_or((subject, ""));
    Relationship {
        resource: reference(resource),
        relation: relation.to_owned(),
        subject: Some(SubjectReference {
            object: reference(subject),
            optional_relation: optional_relation.to_owned(),
        }),
        optional_expires_at: None,
    }
}

fn reference(text: &str) -> Option<ObjectReference> {
    let (kind, id) = text.split_once(':').unwrap();
    object(kind, id)
}

pub(crate) fn updates(operation: i32, relationships: &[&str]) -> WriteRelationshipsRequest {
    let update = |text: &&str| RelationshipUpdate {
        operation,
        relationship: Some(relationship(text)),
    };
    WriteRelationshipsRequest {
        updates: relationships.iter().map(update).collect(),
        ..WriteRelationshipsRequest::default()
    }
}

pub(crate) async fn write(client: &Client, operation: i32, relationships: &[&str]) -> Reply {
    client
        .call(
            "PermissionsService/WriteRelationships",
            &updates(operation, relationships),
        )
        .await
}

pub(crate) async fn touch(client: &Client, relationship: &str) -> Reply {
    write(client, TOUCH, &[relationship]).await
}

pub(crate) async fn create(client: &Client, relationship: &str) -> Reply {
    write(client, CREATE, &[relationship]).await
}

pub(crate) async fn delete(client: &Client, relationship: &str) -> Reply {
    write(client, DELETE, &[relationship]).await
}
