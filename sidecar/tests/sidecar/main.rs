//! The sidecar as its callers, its operators and what is upstream see it, over real connections.

mod admin;
mod admin_port;
mod broken;
mod caller;
mod callers;
mod checks;
mod connector;
mod crowd;
mod dashboards;
mod explain;
mod follow;
mod followed;
mod grpc;
mod http;
mod messages;
mod mixups;
mod operations;
mod permify;
mod program;
mod question;
mod recorded;
mod remembered;
mod running;
mod settings;
mod stopping;
mod tls;
mod token;
mod tonic_upstream;
mod upstream;

/// Any error.
pub(crate) type AnyError = Box<dyn std::error::Error + Send + Sync>;
