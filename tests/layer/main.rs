//! The layer from outside, before a scripted upstream.

#[path = "../common/mod.rs"]
mod common;

mod bulk;
mod carriers;
mod flights;
mod forwarded;
mod keys;
mod labels;
mod replies;
mod request_bodies;
mod response_bodies;
mod settings;
mod wishes;
mod writes;
