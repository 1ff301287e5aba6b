//! A cache under a SpiceDB client, and what each consistency then costs.
//!
//! `cargo run -p spicedb-examples --example spicedb_client -- --endpoint http://127.0.0.1:50051 --key KEY --engine postgres`
//!
//! It adds definitions named `zookie_example/…` to the schema, if they are not there, and writes a few relationships of
//! them. Nothing else is touched.

use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Parser;
use examples_common::{failed, log_to_stderr};
use spicedb_examples::v1::check_bulk_permissions_pair::Response as Answer;
use spicedb_examples::v1::permissions_service_client::PermissionsServiceClient;
use spicedb_examples::v1::relationship_update::Operation;
use spicedb_examples::v1::schema_service_client::SchemaServiceClient;
use spicedb_examples::v1::{
    CheckBulkPermissionsRequest, Consistency, ReadSchemaRequest, RelationshipUpdate, WriteRelationshipsRequest,
    WriteSchemaRequest, ZedToken,
};
use spicedb_examples::{
    Bearer, at_exact_snapshot, at_least_as_fresh, bulk_item, check, decision, engine, fully_consistent,
    minimize_latency, relationship,
};
use tokio::time::sleep;
use tonic::metadata::MetadataMap;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Response, Status};
use tower::ServiceBuilder;
use tower_zookie::protocol::SpiceDb;
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie::{Handle, ZookieLayer, ZookieService};

type AnyError = Box<dyn Error>;

/// Longer than a layer waits before it reads SpiceDB's head again.
const A_LITTLE_LATER: Duration = Duration::from_millis(200);

/// What a generated client calls: the layer, and below it the channel.
type Cached = InterceptedService<ZookieService<Channel, SpiceDb>, Bearer>;

const SCHEMA: &str = "
definition zookie_example/user {}
definition zookie_example/team {
  relation member: zookie_example/user
}
definition zookie_example/folder {
  relation reader: zookie_example/user | zookie_example/team#member
  permission read = reader
}";

/// Asks a SpiceDB through a cache, and shows how the cache handles each question.
#[derive(Debug, Parser)]
#[command(name = "spicedb_client")]
struct Args {
    /// Where SpiceDB's gRPC API is.
    #[arg(long, default_value = "http://127.0.0.1:50051")]
    endpoint: String,
    /// Its preshared key.
    #[arg(long)]
    key: String,
    /// Its `--datastore-engine`: a ZedToken does not say.
    #[arg(long, default_value = "postgres", value_parser = engine)]
    engine: Engine,
}

#[tokio::main]
async fn main() -> ExitCode {
    log_to_stderr();
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&*error),
    }
}

async fn run(args: Args) -> Result<(), AnyError> {
    let channel = Endpoint::from_shared(args.endpoint)?.connect().await?;
    let mut ours = Replica::new(&channel, args.engine, Bearer::new(&args.key)?);
    let mut theirs = Replica::new(&channel, args.engine, Bearer::new(&args.key)?);

    ours.define().await?;
    // Every run asks about objects of its own.
    let run = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    let folder = format!("zookie_example/folder:plans-{run}");
    let team = format!("zookie_example/team:heist-{run}");
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(|name| format!("zookie_example/user:{name}"));
    let written = ours
        .write(
            Operation::Touch,
            &[
                format!("{folder}#reader@{team}#member"),
                format!("{team}#member@{alice}"),
            ],
        )
        .await?;
    println!("The team may read its folder, and Alice is in the team. The write's ZedToken is stored with the folder.");

    println!("\nMay Alice read? Each consistency is asked twice:");
    for (name, consistency) in [
        ("minimize latency", minimize_latency()),
        ("at least as fresh", at_least_as_fresh(&written)),
        ("at exact snapshot", at_exact_snapshot(&written)),
        ("fully consistent", fully_consistent()),
    ] {
        for _ in 0..2 {
            println!("  {name:18}  {}", ours.may_read(&folder, &alice, &consistency).await?);
        }
    }

    println!("\nSeveral questions at once. What is known is not asked again:");
    for readers in [&[&*alice, &bob][..], &[&*alice, &carol, &bob], &[&*carol, &bob, &alice]] {
        let answer = ours.may_all_read(&folder, readers, at_least_as_fresh(&written)).await?;
        println!("  at least as fresh   {answer}");
    }

    println!("\nThe New Enemy: another replica has a cache of its own.");
    let before = at_least_as_fresh(&written);
    println!(
        "  it asks             {}",
        theirs.may_read(&folder, &alice, &before).await?
    );
    let left = ours
        .write(Operation::Delete, &[format!("{team}#member@{alice}")])
        .await?;
    println!("  Alice leaves the team; the team saves a new plan, and with it the ZedToken of that moment");
    sleep(A_LITTLE_LATER).await;
    println!(
        "  without the token   {}",
        theirs.may_read(&folder, &alice, &before).await?
    );
    for _ in 0..2 {
        let after = at_least_as_fresh(&left);
        println!(
            "  with the token      {}",
            theirs.may_read(&folder, &alice, &after).await?
        );
    }

    println!();
    for (name, replica) in [("this replica", ours), ("the other one", theirs)] {
        let stats = replica.handle.stats();
        println!(
            "{name}: {} questions, {} answered from the cache, {} calls to SpiceDB",
            replica.asked, stats.hits, stats.upstream_calls
        );
    }
    Ok(())
}

/// A process with a cache of its own.
struct Replica {
    permissions: PermissionsServiceClient<Cached>,
    schema: SchemaServiceClient<Cached>,
    handle: Handle<SpiceDb>,
    asked: usize,
}

impl Replica {
    fn new(channel: &Channel, engine: Engine, bearer: Bearer) -> Self {
        let zookie = ZookieLayer::spicedb(engine);
        let handle = zookie.handle();
        let cached = ServiceBuilder::new().layer(zookie).service(channel.clone());
        // The key is added above the layer, so the layer sees who asks.
        Self {
            permissions: PermissionsServiceClient::with_interceptor(cached.clone(), bearer.clone()),
            schema: SchemaServiceClient::with_interceptor(cached, bearer),
            handle,
            asked: 0,
        }
    }

    /// Adds the example's definitions to the schema that is there.
    async fn define(&mut self) -> Result<(), AnyError> {
        let schema = match self.schema.read_schema(ReadSchemaRequest {}).await {
            Ok(reply) => reply.into_inner().schema_text,
            Err(status) if status.code() == Code::NotFound => String::new(),
            Err(status) => return Err(status.into()),
        };
        if !schema.contains("definition zookie_example/") {
            let schema = schema + SCHEMA;
            self.schema.write_schema(WriteSchemaRequest { schema }).await?;
        }
        Ok(())
    }

    async fn write(&mut self, operation: Operation, relationships: &[String]) -> Result<ZedToken, AnyError> {
        let mut updates = Vec::new();
        for text in relationships {
            updates.push(RelationshipUpdate {
                operation: operation.into(),
                relationship: Some(relationship(text)?),
            });
        }
        let request = WriteRelationshipsRequest {
            updates,
            ..WriteRelationshipsRequest::default()
        };
        let reply = self.permissions.write_relationships(request).await?;
        reply
            .into_inner()
            .written_at
            .ok_or_else(|| "the write's reply has no token".into())
    }

    /// The answer, and who gave it.
    async fn may_read(&mut self, folder: &str, user: &str, consistency: &Consistency) -> Result<String, AnyError> {
        self.asked += 1;
        let question = check(folder, "read", user, consistency.clone())?;
        let reply = self.permissions.check_permission(question).await;
        Ok(shown(reply, |reply| decision(reply.permissionship).to_owned()))
    }

    /// The answers to several questions at one revision, and who gave them.
    async fn may_all_read(&mut self, folder: &str, users: &[&str], at: Consistency) -> Result<String, AnyError> {
        self.asked += users.len();
        let items = users.iter().map(|user| bulk_item(folder, "read", user));
        let request = CheckBulkPermissionsRequest {
            consistency: Some(at),
            items: items.collect::<Result<_, _>>()?,
            with_tracing: false,
        };
        let reply = self.permissions.check_bulk_permissions(request).await;
        Ok(shown(reply, |reply| {
            let answers = reply.pairs.into_iter().map(|pair| match pair.response {
                Some(Answer::Item(item)) => decision(item.permissionship),
                _ => "error",
            });
            answers.collect::<Vec<_>>().join(", ")
        }))
    }
}

fn shown<T>(reply: Result<Response<T>, Status>, answer: impl FnOnce(T) -> String) -> String {
    let status = |metadata: &MetadataMap| {
        let status = metadata.get("cache-status").and_then(|status| status.to_str().ok());
        status.unwrap_or("no cache").to_owned()
    };
    match reply {
        Ok(reply) => {
            let status = status(reply.metadata());
            format!("{:5} ({status})", answer(reply.into_inner()))
        }
        // Right after the schema was written, SpiceDB's quantized revision can be one from before it.
        Err(error) => format!("{:?}: {} ({})", error.code(), error.message(), status(error.metadata())),
    }
}
