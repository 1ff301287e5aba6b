use tokio::task::JoinHandle;
use tower_zookie::protocol::permify::Engine;

use crate::grpc::{self, Reply, Server};
use crate::permify::messages::{
    ALLOWED, DataWriteResponse, PermissionBulkCheckRequest, PermissionBulkCheckResponse, PermissionCheckRequest,
    PermissionCheckResponse, SchemaWriteRequest, SchemaWriteResponse, delete, write,
};

/// Makes a write wait until the test continues its transaction.
pub const HOLD: &str = "x-hold";

pub type Client = grpc::Client<Engine>;

impl Client {
    pub fn watch(&self, server: &impl Server, tenant: &'static str) -> JoinHandle<()> {
        let (handle, server) = (self.handle().clone(), server.clone());
        let feed = handle.feed(server).expect("Permify has a feed").tenant(tenant);
        tokio::spawn(async move {
            handle.follow(feed).await;
        })
    }

    /// The same client, whose writes are held open.
    #[must_use]
    pub fn holding(&self) -> Self {
        self.metadata(HOLD, "1")
    }

    pub async fn check(&self, request: &PermissionCheckRequest) -> Reply {
        self.call("Permission/Check", request).await
    }

    pub async fn bulk(&self, request: &PermissionBulkCheckRequest) -> Reply {
        self.call("Permission/BulkCheck", request).await
    }

    /// Makes a user a viewer of a document of `t1`, or not. The token.
    pub async fn set(&self, document: &str, user: &str, views: bool) -> String {
        self.set_in("t1", document, user, views).await
    }

    pub async fn set_in(&self, tenant: &str, document: &str, user: &str, views: bool) -> String {
        let reply = self.write_in(tenant, document, user, views).await;
        let token = reply.message::<DataWriteResponse>().snap_token;
        if self.has_layer() {
            assert_eq!(reply.carried(), Some(&*token));
        }
        token
    }

    /// The same. The whole reply.
    pub async fn write_in(&self, tenant: &str, document: &str, user: &str, views: bool) -> Reply {
        if views {
            return self.try_set(tenant, document, user).await;
        }
        let request = delete(tenant, document, "viewer", user);
        self.call("Data/Delete", &request).await
    }

    /// A write that may be rejected.
    pub async fn try_set(&self, tenant: &str, document: &str, user: &str) -> Reply {
        let request = write(tenant, document, "viewer", user);
        self.call("Data/Write", &request).await
    }

    pub async fn try_write_schema(&self, tenant: &str) -> Reply {
        let request = SchemaWriteRequest {
            tenant_id: tenant.to_owned(),
            schema: "entity user {}".to_owned(),
        };
        self.call("Schema/Write", &request).await
    }

    /// Writes a schema. Its version.
    pub async fn write_schema(&self, tenant: &str) -> String {
        let reply = self.try_write_schema(tenant).await;
        reply.message::<SchemaWriteResponse>().schema_version
    }
}

/// Permify's replies.
impl Reply {
    pub fn allowed(&self) -> bool {
        self.message::<PermissionCheckResponse>().can == ALLOWED
    }

    /// The decisions of a bulk.
    pub fn decisions(&self) -> Vec<bool> {
        let results = self.message::<PermissionBulkCheckResponse>().results;
        results.iter().map(|result| result.can == ALLOWED).collect()
    }
}
