//! What a SpiceDB sends.

use http::{HeaderValue, Response};
use tower_zookie_testing::grpc::{self, Body};

pub(crate) fn succeeded(message: &[u8]) -> Response<Body> {
    let mut response = grpc::succeeded(
        message,
        &[
            ("x-request-id", "of-the-leader"),
            ("io.spicedb.respmeta.dispatchedoperationscount", "5"),
            ("io.spicedb.respmeta.cachedoperationscount", "2"),
        ],
    );
    let server = HeaderValue::from_static("spicedb");
    response.headers_mut().insert("server", server);
    response
}

pub(crate) fn failed(code: i32, why: &str) -> Response<Body> {
    let mut response = grpc::failed(code, why);
    let id = HeaderValue::from_static("of-the-leader");
    response.headers_mut().insert("x-request-id", id);
    response
}
