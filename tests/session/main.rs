//! Sessions: tokens on their way through a service in between.

mod comparing;
mod fan_out;
mod inbound;
mod model;
mod outbound;
mod over_grpc;
mod signed;
mod stores;
mod support;
mod trailers;
mod with_zookie_layer;
