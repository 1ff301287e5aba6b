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
use super::super::super::testing::{claimed, parts, question};
use super::super::super::{Call, Claim, Kind, Protocol, ReplyItem, ReplyOutcome, Route, StoredResponse, Unreadable};
use super::super::{Engine, SpiceDb};
use crate::cache::{Fingerprint, FingerprintBuilder, ReadAt};
use crate::consistency::Consistency;
