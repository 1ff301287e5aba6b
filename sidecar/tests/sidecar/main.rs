//! The sidecar as its callers, its operators and what is upstream see it, over real connections.

#[path = "../../src/args/mod.rs"]
mod args;
#[path = "../../../examples/common/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the examples use the rest")]
mod common;
#[path = "../../src/proxy/mod.rs"]
#[allow(dead_code, reason = "the binary uses the rest")]
mod proxy;
#[path = "../../../tests/common/wire/mod.rs"]
#[allow(dead_code, unreachable_pub, unused_imports, reason = "other tests use the rest")]
mod wire;

mod admin;
mod broken;
mod caller;
mod checks;
mod connector;
mod grpc;
mod http;
mod messages;
mod permify;
mod recorded;
mod running;
mod settings;
mod stopping;
mod tls;
mod tonic_upstream;
mod upstream;

/// Any error.
pub(crate) type AnyError = Box<dyn std::error::Error + Send + Sync>;
