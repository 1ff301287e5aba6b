//! What the author of a [`Protocol`](crate::protocol::Protocol) needs. [`AuthZen`](crate::protocol::AuthZen) and
//! [`Routes`](crate::protocol::Routes) are written with nothing else, and so is `examples/own_protocol`, a protocol with
//! bulks outside this crate.
//!
//! | to | use |
//! |---|---|
//! | recognise a request | [`path::Pattern`], [`grpc::is_grpc`] |
//! | make a key | [`FingerprintBuilder`](crate::cache::FingerprintBuilder), [`parts`], [`json::Digest`] |
//! | read a message | [`json::Json`], [`json::Pointer`], [`grpc::message`], [`protobuf::fields`] |
//! | forward it with another token, or only the open questions of a bulk | [`json::Rewrite`], [`grpc::frame`], [`protobuf::write_bytes`] |
//! | read a reply | [`json::Json`], [`parts::is_encoded`], [`grpc::Status`] |
//! | reject a request | [`problem_json`](crate::protocol::problem_json), [`grpc::reject`] |
//!
//! # How to write a protocol
//!
//! Write down, for each call of the API: its path, what of the request can change the answer, where the token and the
//! consistency are, and where the reply has the answer and its revision. Then implement the methods in this order.
//!
//! 1. [`capabilities`](crate::protocol::Protocol::capabilities) and [`format`](crate::protocol::Protocol::format): what is
//!    true of the store, and how its tokens are spelled. State only what you know.
//!    [`Capabilities::unknown`](crate::cache::Capabilities::unknown) is always right. A format of your own implements
//!    [`TokenFormat`](crate::token::TokenFormat).
//! 2. [`claim`](crate::protocol::Protocol::claim): which requests are the API's. Recognise at least what the servers
//!    accept: a write that the layer does not recognise teaches it nothing. Don't allocate here: it runs for every request.
//! 3. [`read`](crate::protocol::Protocol::read): a [`Call`](crate::protocol::Call) with one fingerprint for each question.
//!    Begin each with a clone of [`Key::base`](crate::protocol::Key::base) and with your system's name, and add
//!    **everything that can change the answer**: the path, the query, headers that the server reads, the content type, and
//!    of the message everything except the token and the consistency, also members that you don't know. What you can't
//!    read is [`Unreadable`](crate::protocol::Unreadable): the layer then forwards it with its requirement stated. A
//!    question gets the same fingerprint in a check and in a bulk only if it has the same answer in both.
//! 4. [`ask`](crate::protocol::Protocol::ask): the message to forward. It states the revision `zookie` in place of the
//!    caller's token, and of a bulk it has only the questions `open`. If the message states the freshness completely
//!    (every [`ReadAt`](crate::cache::ReadAt)), let [`states_freshness`](crate::protocol::Protocol::states_freshness) say
//!    so. Otherwise the layer states it in headers too.
//! 5. [`learn`](crate::protocol::Protocol::learn): what a reply says. Only a known decision is
//!    [`ReplyItem::decision`](crate::protocol::ReplyItem::decision). Errors, and answers with anything that belongs to one
//!    caller, are [`unstored`](crate::protocol::ReplyItem::unstored) or no answer at all. Copy what you store:
//!    [`StoredResponse`](crate::protocol::StoredResponse) must not keep the reply's buffer in memory.
//! 6. [`merge`](crate::protocol::Protocol::merge): the reply to a bulk, made from the answers to its questions. The stored
//!    answer to a check is the reply to it.
//! 7. [`reject`](crate::protocol::Protocol::reject): the layer's own errors as the API spells its errors, if problem
//!    details are not right for it.
//! 8. [`feed`](crate::protocol::Protocol::feed): how the API reports the store's changes, if it does: a
//!    [`FeedProtocol`](crate::protocol::FeedProtocol).
//!
//! In the repository, the member `testing` has a conformance suite. It runs a protocol behind the layer, in front of a
//! model of a store, with an adversary among the callers, and checks the rules of the contract.
//!
//! # Example
//!
//! An API with one call: `POST /allow` with `{"who", "what"}` and optionally the token `"at"`.
//!
//! ```
//! use std::sync::Arc;
//!
//! use bytes::Bytes;
//! use http::request::Parts;
//! use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
//! use http_body_util::Full;
//! use tower::{Layer, ServiceExt, service_fn};
//! use tower_zookie::ZookieLayer;
//! use tower_zookie::cache::{Capabilities, Part, ReadAt};
//! use tower_zookie::protocol::kit::json::{Digest, Json, Members, Pointer, Rewrite};
//! use tower_zookie::protocol::kit::parts;
//! use tower_zookie::protocol::{
//!     Call, Claim, Key, Kind, Protocol, Received, Reply, ReplyItem, ReplyOutcome, Route, StoredResponse, Unreadable,
//! };
//! use tower_zookie::token::{CounterTokens, TokenFormat, Zookie};
//!
//! #[derive(Debug)]
//! struct Allow;
//!
//! impl Protocol for Allow {
//!     fn capabilities(&self) -> Capabilities {
//!         Capabilities::unknown()
//!     }
//!
//!     fn format(&self) -> Arc<dyn TokenFormat> {
//!         Arc::new(CounterTokens::new("allow"))
//!     }
//!
//!     fn claim(&self, method: &Method, uri: &Uri, _: &HeaderMap) -> Claim {
//!         match (method, uri.path()) {
//!             (&Method::POST, "/allow") => Claim::Body(Route(0)),
//!             _ => Claim::Pass,
//!         }
//!     }
//!
//!     fn read(&self, _: Route, parts: &Parts, message: &Bytes, key: Key<'_>) -> Result<Call, Unreadable> {
//!         let mut fingerprint = key.base.clone().text(Part::System, "allow");
//!         fingerprint.add(Part::Header, parts::json_parameters(&parts.headers)?.as_bytes());
//!         parts::query(&mut fingerprint, &parts.uri, &key)?;
//!         // All members except the token belong to the question.
//!         let (digest, mut members, mut token) = (Digest::new(&key.base), Members::default(), None);
//!         let mut json = Json::new(message)?;
//!         json.object(|json, name| match name {
//!             "at" => Ok(token = Some(Bytes::from(json.string()?.into_owned()))),
//!             _ => digest.member(json, name, &mut members),
//!         })?;
//!         json.end()?;
//!         members.feed(Part::Body, &mut fingerprint);
//!         let mut call = Call::new(Kind::Check(fingerprint.finish()));
//!         call.token = token;
//!         Ok(call)
//!     }
//!
//!     fn ask(&self, received: Received<'_>, _: &[usize], _: &ReadAt, zookie: Option<&Zookie>) -> Option<Bytes> {
//!         let mut rewrite = Rewrite::of(received.message).ok()?;
//!         match zookie {
//!             Some(zookie) => rewrite.set("at", format!("\"{zookie}\"")),
//!             None => rewrite.remove("at"),
//!         }
//!         Some(rewrite.finish())
//!     }
//!
//!     fn learn(&self, _: Received<'_>, _: &[usize], reply: &Reply<'_>) -> ReplyOutcome {
//!         let text = |name| Pointer::parse(name).ok()?.find(reply.body).ok()?;
//!         if reply.status != StatusCode::OK || parts::is_encoded(reply.headers) {
//!             return ReplyOutcome::Nothing;
//!         }
//!         let (Some("true" | "false"), Some(revision)) = (text("allowed"), text("revision")) else {
//!             return ReplyOutcome::Nothing;
//!         };
//!         let stored = StoredResponse::of(reply.status, reply.headers, Bytes::copy_from_slice(reply.body));
//!         ReplyOutcome::Answers {
//!             items: vec![ReplyItem::decision(stored)],
//!             token: Some(revision.trim_matches('"').to_owned()),
//!         }
//!     }
//!
//!     fn merge(&self, _: Received<'_>, _: &[Option<&StoredResponse>], _: Option<&Zookie>) -> StoredResponse {
//!         unreachable!("this API has no bulks")
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let upstream = service_fn(async |_: Request<Full<Bytes>>| {
//!     Ok::<_, std::convert::Infallible>(Response::new(Full::from(r#"{"allowed":true,"revision":"42"}"#)))
//! });
//! let service = ZookieLayer::builder(Allow).build()?.layer(upstream);
//! let check = |body: &'static str| {
//!     let request = Request::post("/allow").header("content-type", "application/json");
//!     request.body(Full::from(body)).unwrap()
//! };
//! let first = service.clone().oneshot(check(r#"{"who": "u1", "what": "read", "at": "41"}"#)).await?;
//! let second = service.clone().oneshot(check(r#"{"what": "read", "who": "u1"}"#)).await?;
//! let ahead = service.clone().oneshot(check(r#"{"who": "u1", "what": "read", "at": "43"}"#)).await?;
//! assert!(first.headers()["cache-status"].to_str()?.starts_with("tower-zookie; fwd=miss; stored"));
//! assert_eq!(second.headers()["cache-status"], "tower-zookie; hit");
//! assert_eq!(ahead.status(), 503, "the upstream does not know revision 43");
//! # Ok(())
//! # }
//! ```

pub mod grpc;
pub mod json;
pub mod parts;
pub mod path;

/// Protocol Buffers on the wire: the fields of a message, read in place. A field that the protocol does not know still
/// belongs to the question, so nothing is decoded into structs.
pub mod protobuf {
    pub use crate::protobuf::{Field, Fields, NotProtobuf, Value, fields, only, write_bytes, write_number};
}
