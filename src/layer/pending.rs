use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use tokio::time::Instant;

use crate::cache::{Miss, ReadAt};
use crate::consistency::{Consistency, Floors, Freshness};
use crate::layer::body::End;
use crate::objects::{Remembered, Strict};
use crate::protocol::{Call, Received, Route};
use crate::token::Zookie;

/// A request that the upstream has to answer, in whole or in part.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) parts: Parts,
    pub(super) message: Bytes,
    pub(super) end: End,
    pub(super) route: Route,
    pub(super) call: Call,
    pub(super) requirement: Requirement,
    pub(super) arrived: Instant,
    /// Whom the cap on flights counts this request for.
    pub(super) caller: u64,
    /// How long the caller is ready to wait, counted from the arrival.
    pub(super) timeout: Option<Duration>,
    pub(super) credential_ends: Option<Instant>,
}

impl Pending {
    pub(super) fn received(&self) -> Received<'_> {
        Received::new(self.route, &self.call, &self.message)
    }
}

/// Where what is remembered of a request's objects comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RememberedIn {
    Memory,
    Store,
}

/// What was looked up of a request's objects.
#[derive(Clone, Debug)]
pub(super) struct LookedUp {
    pub(super) remembered: Remembered,
    pub(super) found_in: RememberedIn,
}

/// What a request's answer must satisfy, and which tokens say so.
#[derive(Debug)]
pub(super) struct Requirement {
    pub(super) freshness: Freshness,
    /// What the answer must cover, also where it is read at head. An exact snapshot is no floor.
    pub(super) floors: Floors,
    /// Cookies of other stores than the floors'. Only a reply can show which store answers here.
    pub(super) elsewhere: Floors,
    /// The only token of the request, as its caller spelled it.
    pub(super) own_zookie: Option<Zookie>,
    /// One of the tokens is in a header, the query or the message.
    pub(super) explicit: bool,
    /// One of the tokens is in the message: the upstream judges whether it belongs here.
    pub(super) in_message: bool,
    /// The request has a cookie that is of no use, so that the reply sets another one.
    pub(super) replace_cookie: bool,
    /// The request is forwarded unmodified: no entry and no head read satisfies it.
    pub(super) unmodified: bool,
    /// Why no stored answer may be given to the request.
    pub(super) no_entry: Option<Miss>,
    /// What is remembered of the request's objects made it stricter than the request itself.
    pub(super) raised: bool,
    /// Where what is remembered of them comes from.
    pub(super) remembered_in: Option<RememberedIn>,
}

impl Requirement {
    /// Whether the request names no token and asks for no more than the weakest consistency.
    pub(super) fn is_open(&self) -> bool {
        let open = matches!(&self.freshness, Freshness::AtLeast { floors, .. } if floors.is_empty());
        open && self.elsewhere.is_empty() && self.no_entry.is_none() && !self.unmodified
    }

    /// Takes on what is remembered of the request's objects.
    pub(super) fn remember(&mut self, remembered: Remembered, from: RememberedIn) {
        self.remembered_in = Some(from);
        let head_within = match &self.freshness {
            Freshness::AtLeast { head_within, .. } => *head_within,
            _ => None,
        };
        match remembered {
            Remembered::Floors(floors) => {
                self.raised = !floors.is_empty();
                self.floors = floors.clone();
                self.freshness = Freshness::AtLeast { floors, head_within };
                self.no_entry = None;
            }
            Remembered::Strict(why) => {
                self.raised = true;
                self.freshness = Freshness::Full;
                self.no_entry = Some(match why {
                    Strict::Unsettled => Miss::ObjectUnsettled,
                    Strict::NotKnown => Miss::ObjectUnknown,
                    Strict::Unnamed => Miss::ObjectUnnamed,
                });
            }
        }
    }

    /// What the request itself demands. `None` where one revision can't say it.
    pub(super) fn read_at_unmodified(&self) -> Option<ReadAt> {
        match (&self.freshness, self.floors.top()) {
            (Freshness::Full, Some(top)) if self.unmodified => Some(ReadAt::Unmodified(top.revision.clone())),
            _ => ReadAt::unmodified(&self.freshness),
        }
    }

    /// The consistency with which a request is forwarded that is asked at `ask`.
    pub(super) fn consistency_at(&self, ask: &ReadAt) -> Consistency {
        match (&self.freshness, ask) {
            (
                Freshness::AtLeast {
                    head_within: Some(bound),
                    ..
                },
                ReadAt::Head,
            ) => Consistency::BoundedStaleness(*bound),
            _ => ask.consistency(),
        }
    }
}
