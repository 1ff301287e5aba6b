//! The traffic between real clients and a real SpiceDB, replayed through the layer. The recordings are in `tests/wire`.

#[path = "../common/mod.rs"]
mod common;

mod carriers;
mod cases;
mod enemy;
mod message;
mod questions;
mod recordings;
mod session;
mod table;
mod tokens;
