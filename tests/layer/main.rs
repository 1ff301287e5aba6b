//! The layer's public behaviour, before a scripted upstream.

mod asked;
mod bulk;
mod bypasses;
mod carriers;
mod completion;
mod consistency;
mod flights;
mod forwarded;
mod keys;
mod labels;
mod pass_through;
mod replies;
mod request_bodies;
mod response_bodies;
mod revisions;
mod settings;
mod statistics;
mod writes;
