//! Authorization APIs: how each one spells its calls and replies.
//!
//! A [`Protocol`] knows bytes and headers, never services. The layer calls it in this order: [`claim`](Protocol::claim)
//! a request by its method, URI and headers, [`read`](Protocol::read) the call, say what to [`ask`](Protocol::ask) the
//! upstream, [`learn`](Protocol::learn) from the reply, [`merge`](Protocol::merge) answers into a reply, and
//! [`reject`](Protocol::reject) in the API's own form. A new authorization system is one folder here.

mod api;
mod authzen;
mod call;
mod delegate;
mod feed;
mod invalid_route;
pub mod kit;
mod known;
mod object;
mod operation;
pub mod permify;
mod problem;
mod reply;
mod routes;
pub mod spicedb;
mod stored_response;
mod system;
#[cfg(test)]
mod testing;
mod tuple;
mod wire;

pub use api::Protocol;
pub use authzen::AuthZen;
pub use call::{Call, Claim, Endpoint, Key, Kind, Probe, Received, Route, Unreadable};
pub use feed::{Checkpoints, FeedFailure, FeedProtocol, FeedWire, ReadSchema, Report, Reported};
pub use invalid_route::InvalidRoute;
pub use object::Object;
pub use permify::Permify;
pub use problem::{Rejection, problem_json};
pub use reply::{Reply, ReplyItem, ReplyOutcome};
pub use routes::{CheckRoute, ObjectAt, Routes, RoutesBuilder, TextAt, Verdict, WriteRoute};
pub use spicedb::SpiceDb;
pub use stored_response::StoredResponse;

pub(crate) use known::system_at;
