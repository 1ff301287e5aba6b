//! The service behind its layer, asked by generated clients over a real connection.

mod checks;
mod errors;
mod relationships;

use spicedb_examples::v1::permissions_service_client::PermissionsServiceClient;
use spicedb_examples::v1::relationship_update::Operation;
use spicedb_examples::v1::schema_service_client::SchemaServiceClient;
use spicedb_examples::v1::{
    CheckPermissionRequest, CheckPermissionResponse, Consistency, RelationshipUpdate, WriteRelationshipsRequest,
    ZedToken,
};
use spicedb_examples::{check, decision, relationship};
use tokio::net::TcpListener;
use tonic::transport::{Channel, Endpoint};
use tonic::{Response, Status};
use tower_zookie::ZookieLayer;
use tower_zookie::store::{Schema, Store};

use crate::serve;
use crate::service::ENGINE;

const SCHEMA: &str = "
    definition user {}
    definition team { relation member: user | team#member }
    definition doc { relation reader: user | team#member | user:*  permission read = reader }";

/// A client of a service of its own.
struct Client {
    permissions: PermissionsServiceClient<Channel>,
    schema: SchemaServiceClient<Channel>,
}

impl Client {
    async fn new() -> Self {
        Self::of(Store::new(Schema::parse(SCHEMA).unwrap())).await
    }

    async fn of(store: Store) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let layer = ZookieLayer::spicedb(ENGINE);
        tokio::spawn(serve(listener, store, layer, std::future::pending()));
        let channel = Endpoint::from_shared(format!("http://{address}"))
            .unwrap()
            .connect_lazy();
        Self {
            permissions: PermissionsServiceClient::new(channel.clone()),
            schema: SchemaServiceClient::new(channel),
        }
    }

    async fn write(&mut self, operation: Operation, relationships: &[&str]) -> Result<ZedToken, Status> {
        let update = |text: &&str| RelationshipUpdate {
            operation: operation.into(),
            relationship: Some(relationship(text).unwrap()),
        };
        let request = WriteRelationshipsRequest {
            updates: relationships.iter().map(update).collect(),
            ..WriteRelationshipsRequest::default()
        };
        let reply = self.permissions.write_relationships(request).await?;
        Ok(reply.into_inner().written_at.unwrap())
    }

    async fn touch(&mut self, relationships: &[&str]) -> ZedToken {
        self.write(Operation::Touch, relationships).await.unwrap()
    }

    async fn delete(&mut self, relationships: &[&str]) -> ZedToken {
        self.write(Operation::Delete, relationships).await.unwrap()
    }

    /// May Ada read the plan?
    async fn ada_reads(&mut self, consistency: Consistency) -> Answer {
        let reply = self.permissions.check_permission(ada_reads(consistency)).await;
        Answer::of(reply.unwrap())
    }
}

fn ada_reads(consistency: Consistency) -> CheckPermissionRequest {
    check("doc:plan", "read", "user:ada", consistency).unwrap()
}

#[derive(Debug, PartialEq, Eq)]
struct Answer {
    decision: &'static str,
    hit: bool,
    at: ZedToken,
}

impl Answer {
    fn of(reply: Response<CheckPermissionResponse>) -> Self {
        let hit = status(&reply) == "tower-zookie; hit";
        let reply = reply.into_inner();
        Self {
            decision: decision(reply.permissionship),
            hit,
            at: reply.checked_at.unwrap(),
        }
    }

    fn said(&self) -> (&'static str, bool) {
        (self.decision, self.hit)
    }
}

fn status<T>(reply: &Response<T>) -> &str {
    reply.metadata().get("cache-status").unwrap().to_str().unwrap()
}
