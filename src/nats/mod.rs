//! What everything on NATS shares: how it connects, and what it asks of a stream.

mod connect;
mod problem;
mod servers;
mod stream;
mod tls;

pub(crate) use connect::{Connecting, check_name, check_replicas};
pub(crate) use problem::Problem;
pub(crate) use servers::Servers;
pub(crate) use stream::{loses, stream_info};
