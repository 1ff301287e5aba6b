//! A tower [`Layer`](tower_layer::Layer) that caches authorization decisions exactly as fresh as each caller's zookie
//! demands.
//!
//! # The path of a request
//!
//! 1. The [`protocol`] says which call it is and what it asks.
//! 2. The carriers ([`token::Carriers`]) give its tokens: each can only raise the floor.
//! 3. Consistency and tokens become one [`Freshness`](consistency::Freshness): floors and an oldest age, or one exact
//!    [`revision`].
//! 4. The [`cache`] looks for an answer that satisfies it.
//! 5. On a miss, one upstream call answers all who wait and whose freshness it satisfies. Which revision its answer may
//!    claim, and how old it is, depends on the revisions that the store itself named, never on a client's token.
//!
//! # Start here
//!
//! Before SpiceDB it is [`ZookieLayer::spicedb`], before Permify [`ZookieLayer::permify`]. Around a service of your own:
//!
//! ```
//! use tower::{Layer, ServiceExt, service_fn};
//! use tower_zookie::ZookieLayer;
//! use tower_zookie::protocol::{CheckRoute, Routes, Verdict};
//! use tower_zookie::token::CounterTokens;
//! # use http::{Request, Response};
//! # use http_body_util::Full;
//! # use bytes::Bytes;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let api = Routes::builder(CounterTokens::new("example"))
//!     .check(CheckRoute::get("/check").verdict(Verdict::json("allowed")))
//!     .build()?;
//! let layer = ZookieLayer::builder(api).build()?;
//!
//! // Your service says in the header `zookie` at which revision it answered.
//! let permissions = service_fn(async |_: Request<Full<Bytes>>| {
//!     let reply = Response::builder().header("zookie", "42").body(Full::from(r#"{"allowed":true}"#));
//!     Ok::<_, std::convert::Infallible>(reply.unwrap())
//! });
//! let service = layer.layer(permissions);
//!
//! let check = || Request::get("/check?subject=user:u1").header("zookie", "41").body(Full::default()).unwrap();
//! let first = service.clone().oneshot(check()).await?;
//! let second = service.clone().oneshot(check()).await?;
//! assert!(first.headers()["cache-status"].to_str()?.starts_with("tower-zookie; fwd=miss"));
//! assert_eq!(second.headers()["cache-status"], "tower-zookie; hit");
//! # Ok(())
//! # }
//! ```
//!
//! Services in between carry tokens with the layers of [`session`]. Without HTTP, use [`cache::DecisionCache`]. To add an authorization system, implement [`protocol::Protocol`] with
//! the [`protocol::kit`], and [`token::TokenFormat`] if its tokens are new; `examples/own_protocol` does so outside this crate. `docs/contract.md` states the contract, rule by rule, and
//! `docs/architecture.md` says which file does what.
//!
//! # Features
//!
//! - `axum`: [`RequestBody`] for axum's bodies, and [`Asked`] as an extractor.
//! - `tonic`: [`RequestBody`] for tonic's bodies.
//! - `store`: the embedded relationship store.
//! - `nats`: the logs of several nodes' stores in NATS JetStream (with `store`).
//! - `metrics`: [`Stats`](cache::Stats) as Prometheus text, and for any exporter of the `metrics` crate.
//! - `objects-postgres`: tokens of objects in PostgreSQL or CockroachDB.
//! - `objects-nats`: tokens of objects in a NATS JetStream bucket.
//!
//! # Other crates in the API
//!
//! Types of `http`, `bytes`, `http-body`, `http-body-util`, `tower-layer`, `tower-service` and `serde` are in public signatures,
//! and with the features those of `axum-core`, `tonic` and `futures-core`. `docs/architecture.md` says where.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod byte_size;
pub mod cache;
pub mod changes;
pub mod consistency;
#[cfg(any(doc, doctest))]
pub mod docs;
mod invalid_setting;
mod knowledge;
mod layer;
mod names;
#[cfg(any(feature = "nats", feature = "objects-nats"))]
mod nats;
pub mod objects;
mod protobuf;
pub mod protocol;
pub mod revision;
mod schema;
pub mod session;
mod shards;
#[cfg(feature = "store")]
pub mod store;
pub mod token;
mod warnings;

pub use byte_size::ByteSize;
pub use invalid_setting::InvalidSetting;
pub use layer::{
    ApiFeed, Asked, Credential, ExplainedQuestion, Explanation, Handle, KeyPart, NoChangeFeed, OldTokens, Replay,
    RequestBody, ResponseFuture, StoredAnswer, ZookieBody, ZookieLayer, ZookieLayerBuilder, ZookieService,
};
pub use warnings::Warning;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
