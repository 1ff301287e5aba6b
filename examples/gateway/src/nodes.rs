//! Nodes of a group, each behind a layer of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gateway::AnyError;
use gateway::data;
use tower_zookie::store::History;
use tower_zookie::store::node::{NatsLink, Network, Node};

use crate::{Serving, hints, print_hints};

const REGIONS: [&str; 3] = ["us-west-1", "us-east-1", "eu-west-1"];

/// Serves one node, whose group is connected by NATS.
pub(crate) async fn serve_one(
    history: History,
    name: &str,
    nats: &str,
    group: &str,
    listen: SocketAddr,
    serving: &Serving,
) -> Result<(), AnyError> {
    let link = NatsLink::builder(nats).stream(group).connect().await?;
    let node = Node::builder(name)
        .start(history.schema.clone(), Arc::new(link))
        .await?;
    let node = Arc::new(node);
    let example = data::load_into(&node, history).await?;
    let (address, served) = serving.start(Arc::clone(&node), listen).await?;
    println!("node {} on http://{address}\n", node.id());
    print_hints(example.iter().flat_map(|example| hints::worth_trying(example, address)));
    served.await?
}

/// Serves several nodes, on ports one after the other.
pub(crate) async fn serve_several(
    history: History,
    count: u16,
    delay: Duration,
    listen: SocketAddr,
    serving: &Serving,
) -> Result<(), AnyError> {
    let network = Network::new();
    network.delay(delay);
    let mut nodes = Vec::new();
    for index in 0..usize::from(count) {
        let name = REGIONS
            .get(index)
            .map_or_else(|| format!("node-{}", index + 1), |name| (*name).to_owned());
        let node = Node::builder(&name)
            .start(history.schema.clone(), network.link(&name))
            .await?;
        nodes.push(Arc::new(node));
    }
    let example = data::load_into(&nodes[0], history).await?;
    let mut addresses = Vec::new();
    let mut all_served = Vec::new();
    for (index, node) in (0..).zip(&nodes) {
        let mut listen = listen;
        if listen.port() != 0 {
            let port = listen
                .port()
                .checked_add(index)
                .ok_or("--listen: there are too few ports above this one")?;
            listen.set_port(port);
        }
        let (address, served) = serving.start(Arc::clone(node), listen).await?;
        println!("node {} on http://{address}", node.id());
        addresses.push(address);
        all_served.push(served);
    }
    println!();
    if let (Some(example), [here, there, ..]) = (&example, &*addresses) {
        print_hints(hints::across(example, *here, *there));
    }
    for served in all_served {
        served.await??;
    }
    Ok(())
}
