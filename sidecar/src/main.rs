//! A reverse proxy before SpiceDB or Permify, with a `ZookieLayer` in it, for callers in any language.
//!
//! `cargo run --release -p tower-zookie-sidecar -- --upstream http://127.0.0.1:50051 --engine postgres` serves all of
//! SpiceDB's gRPC API on 127.0.0.1:50061, and with `--http-upstream` its HTTP gateway too. Permify's is `--system permify
//! --upstream http://127.0.0.1:3478`.

use std::process::ExitCode;

use clap::Parser;
use examples_common::{failed, log_to_stderr, told_to_stop};
use tower_zookie_sidecar::args::Args;
use tower_zookie_sidecar::proxy::Sidecar;
use tower_zookie_sidecar::{AnyError, hints};

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
    let config = args.config()?;
    let (system, tls) = (config.layer.system.clone(), config.identity.is_some());
    let sidecar = Sidecar::bind(config).await?;
    for route in sidecar.routes() {
        println!("{}", hints::forwarded(route, tls));
    }
    println!(
        "operators on http://{}: /stats /metrics /healthz /readyz\n",
        sidecar.admin()?
    );
    for route in sidecar.routes() {
        println!("{}\n", hints::worth_trying(&system, route, tls));
    }
    sidecar.run(stop).await?;
    println!("stopped");
    Ok(())
}
