//! How much may be under way in a connection.
//!
//! One connection to the upstream carries every caller's streams. A caller that does not read its own stream must not
//! stop the others, so a connection's window holds many streams' windows; what is not read yet takes memory up to it.

pub(super) const STREAM: u32 = 128 << 10;
pub(super) const TO_UPSTREAM: u32 = 64 << 20;
pub(super) const FROM_CALLER: u32 = 16 << 20;

/// Calls at a time in one caller's connection.
pub(super) const CALLS: u32 = 4096;

/// Metadata and tokens, in bytes.
pub(super) const HEADERS: u32 = 64 << 10;
