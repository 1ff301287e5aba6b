//! The cache follows a change feed, under random schemas, histories, feeds and callers. A judge that knows the store's
//! whole history evaluates every answer again, at each revision that the answer claims.
//!
//! `FOLLOWED_MODEL_CASES` sets the number of cases of each engine.

mod adversary;
mod connection;
mod feed;
mod history;
mod judge;
mod plan;
mod quiet;
mod server;
mod steps;
mod store;
mod world;
