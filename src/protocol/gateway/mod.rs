//! What every grpc-gateway has: proto3 JSON over HTTP, with gRPC's statuses, deadlines and metadata.

mod instead;
mod outline;
mod parts;
mod path;
mod reply;
mod status;
mod timeout;
mod timestamp;

pub(super) use instead::call_instead;
pub(super) use outline::{Outline, splice};
pub(super) use parts::{json_parameters, metadata, prefix};
pub(super) use path::unescaped;
pub(super) use reply::{answer, merge};
pub(super) use status::{Error, reject};
pub(super) use timeout::timeout;
pub(super) use timestamp::until;
