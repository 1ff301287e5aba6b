//! The warnings that the sidecar gives, beside those of the layer.

/// `open_admin_port`: other machines can reach the port for operators without a token.
pub const OPEN_ADMIN_PORT: &str = "open_admin_port";

/// All of them, so that each is counted from the start.
pub const ALL: &[&str] = &[OPEN_ADMIN_PORT];
