//! gRPC over HTTP/2: frames, statuses, deadlines and rejections
//! ([the protocol](https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md)).
//!
//! A message is read in place, never decoded and encoded again: fields that the protocol does not know can change the
//! answer, and forwarding keeps them.

pub(in crate::protocol) mod content_type;
pub(in crate::protocol) mod frame;
mod rejection;
pub(in crate::protocol) mod status;
mod stream;
mod timeout;

pub use content_type::{content_type, is_grpc, is_proto};
pub use frame::{frame, message};
pub use rejection::{code, reject};
pub use status::{Code, Status};
pub use stream::next_message;
pub use timeout::timeout;
