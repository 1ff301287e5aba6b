//! A permission service with an HTTP API of its own, and the [`Protocol`](tower_zookie::protocol::Protocol) that puts a
//! `ZookieLayer` before it. It uses only the public API of `tower-zookie`.
//!
//! | call | request | reply |
//! |---|---|---|
//! | `POST /v1/check` | `{"subject", "action", "resource"}` | `{"allowed": true, "revision": "42"}` |
//! | `POST /v1/check-all` | `{"checks": [{"subject", "action", "resource"}, …]}` | `{"results": [{"allowed": true}, …], "revision": "42"}` |
//! | `POST /v1/grants` | `{"subject", "action", "resource", "allowed"}` | `{"revision": "43"}` |
//!
//! The two checks may also say how fresh the answer has to be: `"at": "42"` is a revision that the answer must cover, with
//! `"read": "exactly"` it is the revision to answer at, and `"read": "latest"` asks for the newest revision.
//!
//! The layer follows the service's log of writes, so that an answer is served until a write concerns it.

mod feed;
mod protocol;
mod server;
mod store;

pub use protocol::OwnProtocol;
pub use server::{behind_following_layer, behind_layer, router};
pub use store::{Grant, Store, Written};
