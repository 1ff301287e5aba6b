//! What is the same for every system that the tests know.

use std::fmt::Debug;

use tower_zookie::protocol::Protocol;

/// An engine of a system.
pub trait Sample: Copy + Debug + PartialEq + Send + Sync + 'static {
    type Protocol: Protocol + Clone;

    /// Its messages' package, which its methods' paths begin with.
    const PACKAGE: &'static str;

    /// What its clients send as `authorization`.
    const CREDENTIALS: Option<&'static str>;

    fn protocol(self) -> Self::Protocol;

    fn is_memory(self) -> bool;
}
