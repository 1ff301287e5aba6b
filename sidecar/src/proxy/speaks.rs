//! How an upstream is spoken to.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// HTTP/2, with prior knowledge where there is no TLS.
    Grpc,
    /// HTTP/1.1, so that each call has a connection for itself.
    Http,
}
