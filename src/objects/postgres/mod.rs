//! Tokens of objects in PostgreSQL or CockroachDB.

mod builder;
mod changes;
mod clock;
mod connect;
mod database;
mod failure;
mod held;
mod keeper;
mod link;
mod look_up;
mod notified;
mod polled;
mod statements;
mod store;
mod table;
mod tls;
mod update;

pub use builder::PostgresObjectsBuilder;
pub use store::PostgresObjects;
