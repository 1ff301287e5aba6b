//! The traffic between real clients and a real SpiceDB, replayed through the layer. The recordings are in `tests/wire`.

mod carriers;
mod cases;
mod enemy;
mod questions;
mod recordings;
mod table;
mod tokens;
