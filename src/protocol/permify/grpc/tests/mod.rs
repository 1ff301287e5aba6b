mod attributes;
mod bulk;
mod claim;
mod forward;
mod key;
mod mutated;
mod probe;
mod reply;
mod stated;
mod support;
mod watch;
mod write;

use bytes::Bytes;

use self::support::*;
use crate::cache::{Fingerprint, FingerprintBuilder, ReadAt};
use crate::protocol::api::Protocol;
use crate::protocol::call::{Claim, Kind, Route, Unreadable};
use crate::protocol::permify::Permify;
use crate::protocol::reply::{ReplyItem, ReplyOutcome};
use crate::protocol::stored_response::StoredResponse;
use crate::protocol::testing::ReadCall;
use crate::protocol::testing::{claimed, parts, question};
use crate::token::permify::Engine;
