//! The tests of one wire.
#![allow(unused_imports)]
use std::time::SystemTime;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method, Uri};

use crate::cache::ReadAt;
use crate::protocol::call::{Call, Claim, Key, Kind, Received, Route, Unreadable};
use crate::protocol::reply::{Reply, ReplyOutcome};
use crate::token::Zookie;

mod tests;
