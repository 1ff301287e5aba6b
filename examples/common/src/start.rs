//! How an example starts, and how it says why it could not.

use std::env;
use std::error::Error;
use std::io::IsTerminal;
use std::process::ExitCode;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

/// Warnings, and the one line of what the sidecar found when it started.
const DEFAULT: &str = "warn,tower_zookie_sidecar::proxy::question=info,tower_zookie_sidecar::proxy::feed=info";

/// Logs warnings, or what `RUST_LOG` says.
pub fn log_to_stderr() {
    let (filter, unreadable) = filter();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    if let Some(error) = unreadable {
        warn_of(&error);
    }
}

/// The same, each line a JSON object.
pub fn log_json_to_stderr() {
    let (filter, unreadable) = filter();
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    if let Some(error) = unreadable {
        warn_of(&error);
    }
}

fn filter() -> (EnvFilter, Option<ParseError>) {
    let said = env::var(EnvFilter::DEFAULT_ENV).unwrap_or_default();
    match said.parse::<EnvFilter>() {
        Ok(filter) if !said.is_empty() => (filter, None),
        Ok(_) => (EnvFilter::new(DEFAULT), None),
        Err(error) => (EnvFilter::new(DEFAULT), Some(error)),
    }
}

fn warn_of(error: &ParseError) {
    tracing::warn!(%error, "RUST_LOG can't be read, so warnings are logged; write it as `info` or `warn,tower_zookie=debug`");
}

/// Prints an error with its causes.
pub fn failed(error: &(dyn Error + 'static)) -> ExitCode {
    eprintln!("error: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        eprintln!("  because: {error}");
        cause = error.source();
    }
    ExitCode::FAILURE
}
