mod bulk;
mod claim;
mod forward;
mod key;
mod mutated;
mod reply;
mod stated;
mod support;

use bytes::Bytes;

use self::support::*;
use crate::cache::{Fingerprint, FingerprintBuilder, ReadAt};
use crate::consistency::Consistency;
use crate::protocol::api::Protocol;
use crate::protocol::call::{Claim, Kind, Route, Unreadable};
use crate::protocol::reply::{ReplyItem, ReplyOutcome};
use crate::protocol::spicedb::SpiceDb;
use crate::protocol::stored_response::StoredResponse;
use crate::protocol::testing::ReadCall;
use crate::protocol::testing::{claimed, parts, question};
use crate::token::spicedb::Engine;
