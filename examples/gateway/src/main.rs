//! A permission service on an embedded, versioned store, behind a `ZookieLayer`.
//!
//! `cargo run --release -p gateway` serves the recorded relationships of `examples/data`; with `--replay 20` it
//! drives itself for 20 seconds instead, and judges every reply.

mod hints;
mod nodes;
mod replay;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use clap::Parser;
use examples_common as common;
use gateway::AnyError;
use gateway::backend::Backend;
use gateway::data;
use gateway::layer::{self, Api, Settings};
use gateway::service::{self, BaseUrl, Gateway, Zookies};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tower::make::Shared;
use tower::{Layer, ServiceExt};
use tower_zookie::ZookieLayer;
use tower_zookie::consistency::Staleness;
use tower_zookie::store::History;
use tower_zookie::store::node::NodeStats;

/// Answers "may this subject do this to that resource?", exactly as fresh as each caller's zookie demands.
#[derive(Debug, Parser)]
#[command(name = "gateway", version)]
struct Args {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:8080", value_parser = common::address)]
    listen: SocketAddr,
    /// A folder with `schema.zed` and `transactions.jsonl`.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../data"))]
    data: PathBuf,
    /// Let the store round reads without a zookie to this interval, as SpiceDB does; 0s: it reads the newest revision.
    #[arg(long, default_value = "0s", value_parser = common::duration)]
    quantize: Duration,
    /// The layer's quantization interval.
    #[arg(long, default_value = "5s", value_parser = common::duration)]
    window: Duration,
    /// By how many percent an answer may outlive the window.
    #[arg(long, default_value = "10%", value_parser = common::percent)]
    staleness: u8,
    /// Where callers reach this service, such as https://pdp.example.com, for AuthZEN's metadata. By default it is the host
    /// that each caller names, over plain HTTP.
    #[arg(long, value_name = "URL")]
    base_url: Option<BaseUrl>,
    /// Write zookies in their compact form: with many nodes it is much shorter.
    #[arg(long, conflicts_with = "replay")]
    compact_zookies: bool,
    /// The environment variable that holds the keys that sign zookies, each as ID:BASE64, separated by commas: the first one
    /// signs, all are accepted. Make one with `openssl rand -base64 32`.
    #[arg(long, value_name = "NAME", conflicts_with = "replay")]
    signing_key_env: Option<String>,
    /// How old a signed zookie may be. By default it may have any age.
    #[arg(long, value_name = "AGE", value_parser = common::duration, requires = "signing_key_env")]
    token_max_age: Option<Duration>,
    /// By how much the clocks of the nodes may differ.
    #[arg(long, default_value = "30s", value_parser = common::duration, requires = "signing_key_env")]
    token_clock_skew: Duration,
    /// Serve without the layer, to compare.
    #[arg(long)]
    bare: bool,
    /// Don't follow the store's change feed, to compare: then every answer ends with its window.
    #[arg(long)]
    no_follow: bool,
    /// Be this node of a group, such as us-west-1, whose nodes exchange their writes over --nats.
    #[arg(long, value_name = "NAME", requires = "nats", conflicts_with_all = ["nodes", "replay"])]
    node: Option<String>,
    /// The NATS server, with JetStream, that stores the nodes' writes.
    #[arg(long, value_name = "nats://HOST:PORT", requires = "node")]
    nats: Option<String>,
    /// Which group of the NATS server the node belongs to.
    #[arg(long, default_value = "gateway", requires = "node")]
    group: String,
    /// Serve this many nodes of one group in this process, on ports one after the other, each behind a layer of its own.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=16), conflicts_with = "replay")]
    nodes: Option<u16>,
    /// How long a write travels from one of the --nodes to another.
    #[arg(long, default_value = "0s", value_parser = common::duration, requires = "nodes")]
    link_delay: Duration,
    /// Drive the service for this many seconds instead of serving, and judge every reply.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    replay: Option<u32>,
}

#[tokio::main]
async fn main() -> ExitCode {
    common::log_to_stderr();
    run(Args::parse()).await.unwrap_or_else(|error| common::failed(&*error))
}

async fn run(args: Args) -> Result<ExitCode, AnyError> {
    let settings = Settings {
        window: args.window,
        staleness: Staleness::percent(args.staleness),
    };
    if let Some(seconds) = args.replay {
        let plan = replay::Plan {
            data: args.data,
            seconds,
            quantize: args.quantize,
            layer: (!args.bare).then_some(settings),
            follows: !args.no_follow,
        };
        return replay::run(plan).await;
    }

    let signing = args.signing_key_env.as_deref().map(|name| {
        let signing = common::signing_from(name).map_err(|error| format!("the environment variable {name} {error}"))?;
        let signing = signing.clock_skew(args.token_clock_skew);
        Ok::<_, AnyError>(match args.token_max_age {
            Some(age) => signing.max_age(age),
            None => signing,
        })
    });
    let history = History::open(&args.data)?;
    let serving = Serving {
        layer: (!args.bare).then_some(settings),
        follows: !args.no_follow,
        quantize: args.quantize,
        base_url: args.base_url,
        zookies: Zookies {
            signing: signing.transpose()?,
            compact: args.compact_zookies,
        },
    };
    println!("{}", args.data.display());
    match (args.nodes, args.node, args.nats) {
        (Some(count), ..) => nodes::serve_several(history, count, args.link_delay, args.listen, &serving).await?,
        (None, Some(node), Some(nats)) => {
            nodes::serve_one(history, &node, &nats, &args.group, args.listen, &serving).await?;
        }
        _ => {
            let (store, example) = data::load(history)?;
            let head = store.current_revision();
            let (address, served) = serving.start(store, args.listen).await?;
            println!("a store at revision {head} on http://{address}\n");
            print_hints(example.iter().flat_map(|example| hints::worth_trying(example, address)));
            served.await??;
        }
    }
    println!("stopped");
    Ok(ExitCode::SUCCESS)
}

fn print_hints(hints: impl IntoIterator<Item = String>) {
    hints.into_iter().for_each(|hint| println!("{hint}\n"));
}

/// How a store or a node is served.
pub(crate) struct Serving {
    /// `None`: without the layer.
    layer: Option<Settings>,
    follows: bool,
    quantize: Duration,
    base_url: Option<BaseUrl>,
    zookies: Zookies,
}

impl Serving {
    /// Serves until the process is told to stop.
    pub(crate) async fn start(
        &self,
        backend: impl Into<Backend>,
        listen: SocketAddr,
    ) -> Result<(SocketAddr, JoinHandle<Result<(), AnyError>>), AnyError> {
        let backend = backend.into();
        let layer = self
            .layer
            .map(|settings| layer::build_for(&backend, settings, &self.zookies))
            .transpose()?;
        if let Some(layer) = layer.as_ref().filter(|_| self.follows) {
            layer::follow(layer, backend.clone());
        }
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let gateway = Gateway::new(backend, self.quantize)
            .base_url(self.base_url.clone())
            .zookies(self.zookies.clone());
        let served = tokio::spawn(async move { serve(listener, gateway, layer, common::told_to_stop()).await });
        Ok((address, served))
    }
}

/// What `/stats` says beside the layer's statistics.
#[derive(Debug, Serialize)]
struct NodeReport {
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<NodeStats>,
}

/// Serves until `end`, then lets the requests under way finish.
async fn serve(
    listener: TcpListener,
    gateway: Gateway,
    layer: Option<ZookieLayer<Api>>,
    end: impl Future<Output = ()> + Send + 'static,
) -> Result<(), AnyError> {
    let Some(layer) = layer else {
        axum::serve(listener, service::router(gateway))
            .with_graceful_shutdown(end)
            .await?;
        return Ok(());
    };
    let of_node = gateway.clone();
    let more = move || NodeReport {
        node: of_node.node_stats(),
    };
    let router = service::router(gateway).merge(common::stats(layer.handle(), more));
    // Outside the Router, so that the layer sees every path before it is routed.
    let service = ServiceExt::<Request>::map_response(layer.layer(router), |reply| reply.map(Body::new));
    axum::serve(listener, Shared::new(service))
        .with_graceful_shutdown(end)
        .await?;
    Ok(())
}
