//! A cache under a Permify client, for a service that stores each document's snap token in the document's row.
//!
//! `PERMIFY_ENDPOINT=http://127.0.0.1:3478 PERMIFY_ENGINE=postgres cargo run --example permify_client`
//!
//! It writes a schema and a few relationships of a tenant of its own, `zookie-example`.

use std::collections::HashMap;
use std::env;
use std::error::Error;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use examples_common::{failed, log_to_stderr};
use tokio::task::JoinSet;
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status};
use tower::ServiceBuilder;
use tower_zookie::protocol::Permify;
use tower_zookie::protocol::permify::Engine;
use tower_zookie::{Handle, ZookieLayer, ZookieService};
use tower_zookie_testing::permify::call;
use tower_zookie_testing::permify::messages::{
    ALLOWED, DENIED, DataWriteResponse, PermissionCheckResponse, SchemaWriteRequest, SchemaWriteResponse, check,
    delete, write,
};

type AnyError = Box<dyn Error + Send + Sync>;

/// The service that generated clients would call: the layer, and below it the channel.
type Cached = ZookieService<Channel, Permify>;

const TENANT: &str = "zookie-example";

const SCHEMA: &str = "
entity user {}
entity document {
  relation viewer @user
  permission view = viewer
}";

#[tokio::main]
async fn main() -> ExitCode {
    log_to_stderr();
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&*error),
    }
}

async fn run() -> Result<(), AnyError> {
    let (endpoint, engine) = configured()?;
    let connecting = Endpoint::from_shared(endpoint.clone())?.connect().await;
    let channel = connecting.map_err(|source| NoPermify { endpoint, source })?;

    let zookie = ZookieLayer::permify(engine);
    let handle = zookie.handle();
    let channel = ServiceBuilder::new().layer(zookie).service(channel);

    let service = Service {
        permify: channel,
        handle,
        table: HashMap::new(),
        asked: 0,
    };
    service.define().await?;
    // Every run has a document of its own.
    let run = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    service.tour(&format!("plan-{run}")).await
}

fn configured() -> Result<(String, Engine), AnyError> {
    let endpoint = env::var("PERMIFY_ENDPOINT").unwrap_or_else(|_| "http://127.0.0.1:3478".to_owned());
    let engine = match env::var("PERMIFY_ENGINE").as_deref() {
        Ok("postgres") | Err(_) => Engine::Postgres,
        Ok("memory") => Engine::Memory,
        Ok(_) => return Err("PERMIFY_ENGINE is Permify's --database-engine: memory or postgres".into()),
    };
    Ok((endpoint, engine))
}

#[derive(Debug, thiserror::Error)]
#[error("no Permify answers at {endpoint}: start one, or say in PERMIFY_ENDPOINT where its gRPC API is")]
struct NoPermify {
    endpoint: String,
    source: tonic::transport::Error,
}

/// A service with documents, and its database.
struct Service {
    permify: Cached,
    handle: Handle<Permify>,
    table: HashMap<String, Row>,
    asked: usize,
}

/// A document's row.
struct Row {
    /// That of the last write that changed who may do what to it.
    snap_token: String,
}

impl Service {
    async fn define(&self) -> Result<(), AnyError> {
        let schema = SchemaWriteRequest {
            tenant_id: TENANT.to_owned(),
            schema: SCHEMA.to_owned(),
        };
        let _: Response<SchemaWriteResponse> =
            call(self.permify.clone(), "/base.v1.Schema/Write", Request::new(schema)).await?;
        Ok(())
    }

    async fn tour(mut self, document: &str) -> Result<(), AnyError> {
        self.share(document, "alice").await?;
        println!("Alice may view {document}. The snap token of that write is in its row:");
        println!("  {}", self.table[document].snap_token);

        println!("\nMay they view it? Each check sends the row's token, and is made twice:");
        for user in ["alice", "alice", "bob", "bob"] {
            println!("  {user:8}{}", self.may_view(document, user).await?);
        }

        println!("\n100 requests at once, about five users who were not asked about before:");
        let before = self.handle.stats().upstream_calls;
        let users = ["carol", "dave", "erin", "frank", "grace"];
        self.all_may_view(document, &users.repeat(20)).await?;
        println!("  {} calls to Permify", self.handle.stats().upstream_calls - before);

        println!("\nThe New Enemy: Alice must not view it any more, and the row has the token of that write.");
        let old = self.table[document].snap_token.clone();
        self.unshare(document, "alice").await?;
        println!("  {}", self.table[document].snap_token);
        for _ in 0..2 {
            println!("  alice   {}", self.may_view(document, "alice").await?);
        }
        println!("A caller with the old token gets an answer that is no older:");
        println!("  alice   {}", self.check(document, "alice", &old).await?);

        println!("\nWithout a token Permify reads head, and so it is asked each time:");
        for _ in 0..2 {
            println!("  alice   {}", self.check(document, "alice", "").await?);
        }

        let stats = self.handle.stats();
        println!(
            "\n{} checks: {} answered from memory, {} by a call that another had begun, {} calls to Permify",
            self.asked, stats.hits, stats.coalesced, stats.upstream_calls
        );
        Ok(())
    }

    async fn share(&mut self, document: &str, user: &str) -> Result<(), AnyError> {
        let message = write(TENANT, document, "viewer", user);
        let written = call(self.permify.clone(), "/base.v1.Data/Write", Request::new(message)).await?;
        self.save(document, written);
        Ok(())
    }

    async fn unshare(&mut self, document: &str, user: &str) -> Result<(), AnyError> {
        let message = delete(TENANT, document, "viewer", user);
        let written = call(self.permify.clone(), "/base.v1.Data/Delete", Request::new(message)).await?;
        self.save(document, written);
        Ok(())
    }

    fn save(&mut self, document: &str, written: Response<DataWriteResponse>) {
        let DataWriteResponse { snap_token } = written.into_inner();
        self.table.insert(document.to_owned(), Row { snap_token });
    }

    async fn may_view(&mut self, document: &str, user: &str) -> Result<String, AnyError> {
        let token = self.table[document].snap_token.clone();
        self.check(document, user, &token).await
    }

    /// The answer, and who gave it.
    async fn check(&mut self, document: &str, user: &str, token: &str) -> Result<String, AnyError> {
        self.asked += 1;
        let message = check(TENANT, document, "view", user, token);
        let reply = call(self.permify.clone(), "/base.v1.Permission/Check", Request::new(message)).await?;
        Ok(shown(&reply))
    }

    async fn all_may_view(&mut self, document: &str, users: &[&str]) -> Result<(), AnyError> {
        let mut asked = JoinSet::new();
        for user in users {
            self.asked += 1;
            let message = check(TENANT, document, "view", user, &self.table[document].snap_token);
            let permify = self.permify.clone();
            asked.spawn(async move {
                call::<_, _, PermissionCheckResponse>(permify, "/base.v1.Permission/Check", Request::new(message)).await
            });
        }
        let replies: Result<Vec<_>, Status> = asked.join_all().await.into_iter().collect();
        replies?;
        Ok(())
    }
}

fn shown(reply: &Response<PermissionCheckResponse>) -> String {
    let decision = match reply.get_ref().can {
        ALLOWED => "yes",
        DENIED => "no",
        _ => "unknown",
    };
    format!("{decision:4}{}", cache_status(reply.metadata()))
}

fn cache_status(metadata: &MetadataMap) -> &str {
    let status = metadata.get("cache-status").and_then(|status| status.to_str().ok());
    status.unwrap_or("no cache")
}
