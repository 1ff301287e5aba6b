//! gRPC at the level of headers, frames and trailers: clients through a layer, and what small servers reply.

mod client;
mod respond;

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;

pub use self::client::{Client, Reply, Server};
pub use self::respond::{failed, stream, succeeded};

pub type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Why a call failed: a status code and its message.
pub type Rejected = (i32, &'static str);

/// Status codes.
pub const OK: i32 = 0;
pub const UNKNOWN: i32 = 2;
pub const INVALID_ARGUMENT: i32 = 3;
pub const DEADLINE_EXCEEDED: i32 = 4;
pub const ALREADY_EXISTS: i32 = 6;
pub const FAILED_PRECONDITION: i32 = 9;
pub const OUT_OF_RANGE: i32 = 11;
pub const UNIMPLEMENTED: i32 = 12;
pub const INTERNAL: i32 = 13;
pub const UNAVAILABLE: i32 = 14;
pub const UNAUTHENTICATED: i32 = 16;
