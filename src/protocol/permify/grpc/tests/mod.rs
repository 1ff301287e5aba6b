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
use super::super::super::testing::{claimed, parts, question};
use super::super::super::{Call, Claim, Kind, Protocol, ReplyItem, ReplyOutcome, Route, StoredResponse, Unreadable};
use super::super::{Engine, Permify};
use crate::cache::{Fingerprint, FingerprintBuilder, ReadAt};
