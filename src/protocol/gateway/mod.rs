//! What every grpc-gateway has: proto3 JSON over HTTP, with gRPC's statuses, deadlines and metadata.

mod field;
mod instead;
mod parts;
mod path;
mod reply;
mod splice;
mod status;
mod timeout;

pub(super) use field::{is_null, once};
pub(super) use instead::post_instead;
pub(super) use parts::{json_parameters, metadata, prefix};
pub(super) use path::unescaped;
pub(super) use reply::{is_message, merge, reply_item};
pub(super) use splice::{Edit, Items, splice};
pub(super) use status::{Error, failed_write, reject};
pub(super) use timeout::timeout;
