//! Permify.

pub mod messages;
