//! A SpiceDB of your own: its permission and schema services on an embedded store, behind a `ZookieLayer`.
//!
//! `cargo run -p spicedb-examples --example tonic_service` serves the recorded relationships of `examples/data`.

mod hints;
mod service;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use examples_common::{address, failed, log_to_stderr, told_to_stop};
use spicedb_examples::v1::permissions_service_server::PermissionsServiceServer;
use spicedb_examples::v1::schema_service_server::SchemaServiceServer;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::transport::Server;
use tower_zookie::ZookieLayer;
use tower_zookie::protocol::SpiceDb;
use tower_zookie::store::{History, Relationship, Store};

use self::service::{ENGINE, Service};

type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// Answers what SpiceDB answers, from memory, behind a cache.
#[derive(Debug, Parser)]
#[command(name = "tonic_service")]
struct Args {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:50051", value_parser = address)]
    listen: SocketAddr,
    /// A folder with `schema.zed` and `transactions.jsonl`.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../data"))]
    data: PathBuf,
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
    let stop = told_to_stop();
    let (store, example) = load(&args.data)?;
    let listener = TcpListener::bind(args.listen).await?;
    let address = listener.local_addr()?;
    println!(
        "{} on http://{address}, at revision {}\n",
        args.data.display(),
        store.current_revision()
    );
    if let Some(example) = example {
        println!("{}", hints::worth_trying(&example, address));
    }
    let layer = ZookieLayer::spicedb(ENGINE);
    let handle = layer.handle();
    serve(listener, store, layer, stop).await?;
    let stats = handle.stats();
    println!(
        "stopped: {} answers from the cache, {} calls to the service",
        stats.hits, stats.upstream_calls
    );
    Ok(())
}

/// Serves until `end`, then lets the requests under way finish.
async fn serve(
    listener: TcpListener,
    store: Store,
    layer: ZookieLayer<SpiceDb>,
    end: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error> {
    let service = Service::new(store);
    let permissions = PermissionsServiceServer::new(service.clone())
        .accept_compressed(Gzip)
        .send_compressed(Gzip);
    let schema = SchemaServiceServer::new(service)
        .accept_compressed(Gzip)
        .send_compressed(Gzip);
    Server::builder()
        .layer(layer)
        .add_service(permissions)
        .add_service(schema)
        .serve_with_incoming_shutdown(TcpListenerStream::new(listener), end)
        .await
}

/// A store with the whole history in a folder, and a relationship of it to ask about.
fn load(folder: &Path) -> Result<(Store, Option<Relationship>), AnyError> {
    let history = History::open(folder)?;
    let store = Store::new(history.schema);
    for transaction in &history.transactions {
        store.load(transaction.clone())?;
    }
    let newest = store.current_revision();
    let updates = history
        .transactions
        .iter()
        .rev()
        .flat_map(|transaction| transaction.updates.iter().rev());
    let example = updates
        .map(|update| &update.relationship)
        .filter(|made| made.subject().relation().is_none() && !made.subject().is_wildcard())
        .find(|made| store.check(made.resource(), made.relation(), made.subject(), newest) == Ok(true))
        .cloned();
    Ok((store, example))
}
