//! SpiceDB.

pub mod messages;
