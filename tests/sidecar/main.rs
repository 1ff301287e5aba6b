//! The example sidecar as its callers, its operators and SpiceDB see it, over real connections.

#[path = "../../examples/sidecar/args.rs"]
mod args;
#[path = "../../examples/common/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the examples use the rest")]
mod common;
#[path = "../../examples/sidecar/proxy/mod.rs"]
#[allow(dead_code, reason = "the example uses the rest")]
mod proxy;

mod admin;
mod broken;
mod caller;
mod connector;
mod grpc;
mod http;
mod messages;
mod running;
mod settings;
mod stopping;
mod tls;
mod tonic_upstream;
mod upstream;

/// Any error.
pub(crate) type AnyError = Box<dyn std::error::Error + Send + Sync>;
