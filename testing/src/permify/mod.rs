//! Permify.

mod call;
pub mod database;
pub mod messages;

pub use self::call::call;
