//! Permify's gRPC API through the layer, before a small Permify: the contract, rule by rule.

mod adversary;
mod api;
mod asked;
mod bad_input;
mod bypass;
mod bypasses;
mod freshness;
mod histories;
mod judge;
mod server;
mod settings;
mod signed;
mod store;
mod watch;
mod world;
