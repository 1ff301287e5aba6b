//! What holds for the messages of all authorization systems, over all their wires.
//!
//! A file of an idea runs over all of them. `grpc` and `json` hold what only one wire has, for all systems; `spicedb`
//! and `permify` what only one system has, over both wires, and `spicedb_json` and `permify_json` what only its gateway
//! has.

mod bulk;
mod claim;
mod forward;
mod grpc;
mod json;
mod key;
mod mutated;
mod objects;
mod permify;
mod permify_json;
mod probe;
mod reply;
mod spicedb;
mod spicedb_json;
mod stated;
mod write;
