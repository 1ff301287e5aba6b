//! What the tests of this crate and of its members share: messages, clients, recorded traffic and small servers.

pub mod frame;
pub mod permify;
pub mod spicedb;
