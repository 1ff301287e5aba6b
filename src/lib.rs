//! A tower [`Layer`](https://docs.rs/tower-layer) that caches authorization decisions exactly as fresh as each
//! caller's zookie demands.
#![forbid(unsafe_code)]

pub mod cache;
pub mod consistency;
mod layer;
pub mod protocol;
pub mod revision;
#[cfg(feature = "store")]
pub mod store;
pub mod token;
mod trust;

pub use layer::{
    Asked, Credential, Handle, Replay, RequestBody, ResponseFuture, Zookie, ZookieBody, ZookieLayer, ZookieLayerBuilder,
};
