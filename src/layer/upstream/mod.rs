//! Calls the inner service.

mod ask;
mod background;
mod bulk;
mod bypass;
mod check;
mod fetch;
mod forward;
mod head;
mod look_up;
mod read;
mod record;
mod related;
mod reply;
mod timed;
mod write;

pub(super) use background::read_in_background;
pub(super) use bulk::ask_bulk;
pub(super) use bypass::{Bypass, forward_and_compare};
pub(super) use check::ask_check;
pub(super) use forward::set_length;
pub(super) use look_up::look_up;
pub(super) use read::{NEVER_STORED, forward_read};
pub(super) use record::Touched;
pub(super) use write::{Write, forward_write};
