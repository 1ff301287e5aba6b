//! The warnings that the sidecar gives, beside those of the layer.

/// `open_admin_port`: other machines can reach the port for operators without a token.
pub const OPEN_ADMIN_PORT: &str = "open_admin_port";

/// `tls_to_plaintext`: TLS is spoken to a port without TLS, the sidecar's or the upstream's.
pub const TLS_TO_PLAINTEXT: &str = "tls_to_plaintext";

/// `plaintext_to_tls`: TLS is not spoken to a port that wants it, the sidecar's or the upstream's.
pub const PLAINTEXT_TO_TLS: &str = "plaintext_to_tls";

/// `swapped_ports`: gRPC is sent to the port for HTTP, or the other way round, the sidecar's or the upstream's.
pub const SWAPPED_PORTS: &str = "swapped_ports";

/// All of them, so that each is counted from the start.
pub const ALL: &[&str] = &[OPEN_ADMIN_PORT, TLS_TO_PLAINTEXT, PLAINTEXT_TO_TLS, SWAPPED_PORTS];
