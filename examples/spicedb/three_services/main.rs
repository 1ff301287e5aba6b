//! Tokens on their way through three services, none of whose handlers knows of tokens:
//!
//! ```text
//! browser ─► front end (axum) ─► documents (axum) ─► a cache, SpiceDB's API on the embedded store (tonic)
//! ```
//!
//! `cargo run -p spicedb-examples --example three_services` shares a document on one path and asks on another one who may
//! read it. With `--without-layers` no token travels, and the second answer comes from the cache, from before the write.

mod browser;
mod documents;
mod front_end;
mod permissions;
#[path = "../tonic_service/service/mod.rs"]
mod service;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::process::ExitCode;

use axum::Router;
use clap::Parser;
use examples_common::{address, failed, log_to_stderr, told_to_stop};
use tokio::net::TcpListener;
use tower_zookie::session::SessionLayer;
use tower_zookie::token::spicedb::ZedTokens;

use self::browser::{Browser, Keeps};
use self::service::ENGINE;

type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// A browser that reads its own writes through two services.
#[derive(Debug, Parser)]
#[command(name = "three_services")]
struct Args {
    /// Leave out the layers of sessions.
    #[arg(long)]
    without_layers: bool,
    /// Then serve the front end here until Ctrl-C.
    #[arg(long, value_parser = address)]
    listen: Option<SocketAddr>,
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
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let front_end = start(args.listen.unwrap_or(any), !args.without_layers).await?;
    for (keeps, document) in [(Keeps::Cookie, "plan"), (Keeps::Header, "budget")] {
        println!("a client that keeps {keeps}:");
        let mut browser = Browser::new(front_end, keeps);
        for (method, path) in [
            ("GET", format!("/may-read/{document}/ada")),
            ("POST", format!("/share/{document}/ada")),
            ("GET", format!("/may-read/{document}/ada")),
        ] {
            println!("  {method:<4} {path:<24} {}", browser.ask(method, &path).await?);
        }
    }
    if args.listen.is_some() {
        println!("the front end is on http://{front_end}/may-read/plan/ada");
        stop.await;
    }
    Ok(())
}

/// Starts the three services, and says where the front end is.
async fn start(listen: SocketAddr, with_layers: bool) -> Result<SocketAddr, AnyError> {
    let permissions = permissions::serve().await?;
    let documents = documents::router(permissions::client(permissions, with_layers)?);
    let documents = serve(SocketAddr::from(([127, 0, 0, 1], 0)), documents, with_layers).await?;
    serve(listen, front_end::router(documents, with_layers), with_layers).await
}

/// Serves a router, inside a session for each request.
async fn serve(listen: SocketAddr, mut router: Router, with_layers: bool) -> Result<SocketAddr, AnyError> {
    if with_layers {
        let sessions = SessionLayer::builder(ZedTokens::new(ENGINE))
            .set_cookies(true)
            .build()?;
        router = router.layer(sessions);
    }
    let listener = TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}
