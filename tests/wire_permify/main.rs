//! The traffic between real clients and a real Permify, replayed through the layer. The recordings are in `tests/wire`.

mod answers;
mod bulk;
mod carriers;
mod cases;
mod enemy;
mod exact;
mod questions;
mod reads;
mod recordings;
mod schema;
mod table;
mod tokens;
mod watch;
