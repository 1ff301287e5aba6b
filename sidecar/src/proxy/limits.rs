//! How much may be under way in a connection, and how much of it is remembered.
//!
//! A connection to the upstream carries the calls of many callers, so no caller may use up what belongs to all of them.

use std::time::Duration;

/// What may come in one stream before it is read. What is not read yet takes memory up to it.
pub(super) const STREAM: u32 = 128 << 10;

/// The connection's own window, to the upstream: the largest there is. Each stream has its own bound, so this one would
/// only let streams that are not read stop the others. h2 also derives from it how many small frames may wait unread in a
/// connection (half of it, in bytes of overhead, at most 256 for a frame): `UNDER_WAY` streams of `STREAM` bytes in
/// messages of five bytes, the smallest of gRPC, need 660 MB of these 1,024.
pub(super) const TO_UPSTREAM: u32 = (1 << 31) - 1;

/// Calls at a time in one connection to the upstream; less where the upstream says so.
pub(super) const UNDER_WAY: usize = 100;

/// After so many calls a connection is replaced, long before HTTP/2 runs out of numbers for its streams.
pub(super) const MADE: usize = 1 << 20;

/// A cancelled call is remembered, because frames of it may still arrive. h2 would answer each frame of a call that it
/// has forgotten with a reset, and by default end the connection after 1,024 of them, with everybody's calls. So a
/// connection is replaced once it has cancelled as many calls as it can remember, and the upstream, which is trusted,
/// may send any number of late frames.
pub(super) const CANCELLED: usize = 4096;
pub(super) const REMEMBERED: Duration = Duration::from_secs(10);

/// How long a call waits for room in a connection.
pub(super) const WAIT: Duration = Duration::from_secs(10);

/// After this time without a call, a connection that is not the only one is closed.
pub(super) const IDLE: Duration = Duration::from_secs(90);

/// What all calls in a caller's connection may send before it is read.
pub(super) const FROM_CALLER: u32 = 16 << 20;

/// Calls at a time in one caller's connection.
pub(super) const CALLS: u32 = 4096;

/// How many calls of a caller may be cancelled before they were looked at. Without a bound, a caller that opens and
/// cancels calls without pause would fill the memory with them (CVE-2023-44487). A caller that cancels all that it may
/// have under way stays within the bound, and each such call costs no more than a call that it may make anyway: it is
/// dropped before anything is sent to the upstream.
pub(super) const CANCELLED_UNSEEN: usize = CALLS as usize;

/// How many frames of a caller may concern calls that have ended here already, in the life of its connection: a request's
/// body that arrives after the reply is no caller's fault. Each is answered with a reset, which waits in memory until the
/// caller reads it, so there must be a bound (CVE-2025-8671).
pub(super) const LATE_FRAMES: usize = 16 << 10;
