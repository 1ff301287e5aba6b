//! The layer's public behaviour, before a scripted upstream.

mod asked;
mod bulk;
mod bypasses;
mod carriers;
mod completion;
mod consistency;
mod explain;
mod flights;
mod forwarded;
mod identity;
mod keys;
mod labels;
mod misses;
mod pass_through;
mod replies;
mod request_bodies;
mod response_bodies;
mod revisions;
mod settings;
mod signed;
mod statistics;
mod warnings;
mod writes;
