//! The change feeds of SpiceDB and Permify, from the bytes of their replies to the events that a layer follows.

mod events;
mod follow;
mod gateway;
mod messages;
mod read;
mod recorded;
mod server;
mod unread;
