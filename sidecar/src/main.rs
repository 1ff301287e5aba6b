//! A reverse proxy before SpiceDB or Permify, with a `ZookieLayer` in it, for callers in any language.
//!
//! `cargo run --release -p tower-zookie-sidecar -- --upstream http://127.0.0.1:50051 --engine postgres` serves all of
//! SpiceDB's gRPC API on 127.0.0.1:50061, and with `--http-upstream` its HTTP gateway too. Permify's is `--system permify
//! --upstream http://127.0.0.1:3478`. `zookie-sidecar token` reads, compares and joins tokens.

use std::env;
use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use examples_common::{failed, log_json_to_stderr, log_to_stderr, outlive_hangups, told_to_stop};
use tower_zookie_sidecar::args::token::TokenArgs;
use tower_zookie_sidecar::args::{Args, LogFormat, unknown_variables};
use tower_zookie_sidecar::proxy::Sidecar;
use tower_zookie_sidecar::{AnyError, hints, token};

#[tokio::main]
async fn main() -> ExitCode {
    if env::args_os().nth(1).is_some_and(|first| first == "token") {
        return print_tokens(TokenArgs::parse_from(env::args_os().skip(1)));
    }
    let args = Args::parse();
    match args.log_format() {
        LogFormat::Text => log_to_stderr(),
        LogFormat::Json => log_json_to_stderr(),
    }
    for name in unknown_variables(env::vars_os().filter_map(|(name, _)| name.into_string().ok())) {
        tracing::warn!("the environment variable {name} belongs to no option; `--help` lists all of them");
    }
    for (port, upstream) in args.idle_ports() {
        tracing::warn!("'{port}' serves nothing, because '{upstream}' is not given; give it, or leave the port out");
    }
    match run(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&*error),
    }
}

fn print_tokens(args: TokenArgs) -> ExitCode {
    match token::run(args.command) {
        Ok(lines) => {
            println!("{lines}");
            ExitCode::SUCCESS
        }
        Err(error) => failed(&*error),
    }
}

async fn run(args: Args) -> Result<(), AnyError> {
    outlive_hangups();
    let stop = told_to_stop();
    let config = args.config()?;
    let (system, tls) = (config.layer.system.clone(), config.identity.is_some());
    let sidecar = Sidecar::bind(config).await?;
    for route in sidecar.routes() {
        println!("{}", hints::forwarded(route, tls));
    }
    if let Some(admin) = sidecar.admin() {
        println!("operators on {admin}: {}", hints::ENDPOINTS);
    }
    if std::io::stdout().is_terminal() {
        for route in sidecar.routes() {
            println!("\n{}", hints::worth_trying(&system, route, tls));
        }
    }
    sidecar.run(stop).await?;
    println!("stopped");
    Ok(())
}
