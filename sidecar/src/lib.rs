//! The sidecar as a library, so that its tests can run it: `main` reads the command line and prints.

pub mod args;
pub mod hints;
pub mod proxy;
pub mod token;

/// Any error; `main` prints it with its causes.
pub type AnyError = Box<dyn std::error::Error + Send + Sync>;
