//! Messages for calls of every kind: those of `grpc.health.v1` hold a text and a number.

use tonic::Request;
use tonic::codegen::http::uri::PathAndQuery;
use tonic_health::pb::HealthCheckRequest as Text;
use tonic_prost::ProstCodec;

pub(crate) type Codec = ProstCodec<Text, Text>;

pub(crate) fn text(text: impl Into<String>) -> Text {
    Text { service: text.into() }
}

pub(crate) fn ask(question: impl Into<String>) -> Request<Text> {
    Request::new(text(question))
}

pub(crate) fn path(method: &str) -> PathAndQuery {
    format!("/test.Echo/{method}").parse().unwrap()
}
