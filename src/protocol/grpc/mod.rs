//! What every gRPC API has: methods, frames, statuses, deadlines and the well-known messages.

mod content_type;
mod frame;
mod instead;
mod rejection;
mod reply;
mod status;
mod stream;
#[cfg(test)]
pub(super) mod testing;
mod timeout;
mod timestamp;
mod value;

pub(super) use content_type::{is_grpc, proto_content_type};
pub(super) use frame::{frame, message};
pub(super) use instead::{call_instead, parts_to};
pub(super) use rejection::{code, reject};
pub(super) use reply::{answer, merged, trailers};
pub(super) use status::{Code, Status};
pub(crate) use stream::Messages;
pub(super) use timeout::timeout;
pub(super) use timestamp::until;
pub(super) use value::Values;
