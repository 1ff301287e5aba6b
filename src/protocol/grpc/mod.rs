//! What every gRPC API has: methods, frames, statuses, deadlines and the well-known messages.

mod forwarded;
mod instead;
mod method;
mod question;
mod reply;
#[cfg(test)]
pub(super) mod testing;
mod timestamp;
mod value;

pub(super) use crate::protocol::kit::grpc::{
    Code, Status, code, content_type, frame, message, reject, status, timeout,
};
pub(super) use forwarded::Forwarded;
pub(super) use instead::call_instead;
pub(super) use method::{Method, Methods};
pub(super) use question::Question;
pub(super) use reply::{answer, merged, trailers, whole, written};
pub(super) use timestamp::until;
pub(super) use value::Values;
