//! Sessions: tokens on their way through a service in between.

mod fan_out;
mod inbound;
mod outbound;
mod support;
