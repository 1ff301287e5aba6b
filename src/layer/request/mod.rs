//! Reads a request and says what to do with it. There is no I/O here, and the inner service is not known.

mod classify;
mod explain;
mod key;
mod missed;
mod passed;
mod requirement;
mod tokens;
mod unwrap;

pub(super) use classify::{LookUp, Step};
