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
use super::super::super::testing::{claimed, head, question};
use super::super::super::{Call, Claim, Kept, Kind, Known, Learned, Protocol, Route, Unreadable};
use super::super::{Engine, SpiceDb};
use crate::cache::{Fingerprint, Parts, ReadAt};
use crate::consistency::Consistency;
