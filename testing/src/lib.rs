//! What the tests of this crate and of its members share: messages, clients, recorded traffic and small servers.

pub mod api;
pub mod conformance;
pub mod frame;
pub mod google;
pub mod grpc;
pub mod log;
pub mod model;
pub mod nats;
pub mod objects;
pub mod permify;
pub mod postgres;
pub mod proxy;
pub mod recorder;
pub mod sample;
pub mod scripted;
pub mod servers;
pub mod spicedb;
pub mod wire;
