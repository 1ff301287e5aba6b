//! A permission service on an embedded, versioned store, the layer before it, and a checker that judges its replies.

pub mod backend;
pub mod checker;
pub mod data;
pub mod layer;
pub mod service;

/// Any error; `main` prints it with its causes.
pub type AnyError = Box<dyn std::error::Error + Send + Sync>;
