//! The ways to cache decisions that are compared.

mod keyed;
mod lru;
mod oracle;
pub(crate) mod ours;
mod rules;

use std::pin::Pin;
use std::sync::Arc;

use keyed::Keyed;
use oracle::Oracle;
use ours::Ours;
use rules::{ExactToken, HeadRevision, Naming, NoCache, Quantized, TimeToLive, WholeStore};

use crate::upstream::{Answer, Upstream};
use crate::workload::{Check, Terms};
use crate::world::World;

/// Where an answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Hit,
    /// From an upstream call that another caller had begun.
    Coalesced,
    Asked,
}

/// An answer to one check.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reply {
    pub(crate) answer: Answer,
    pub(crate) source: Source,
}

pub(crate) type Answering = Pin<Box<dyn Future<Output = Reply> + Send>>;

/// One way to cache decisions.
pub(crate) trait Policy: Send + Sync {
    fn check(self: Arc<Self>, upstream: Arc<Upstream>, check: Check) -> Answering;

    /// A write went through the cache.
    fn wrote(&self, _revision: u64) {}
}

/// The policies, as rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    NoCache,
    ExactToken,
    HeadRevision,
    Quantized,
    QuantizedByWrites,
    TimeToLive,
    WholeStore,
    Ours,
    OursAround,
    Followed,
    FollowedWithStructure,
    Oracle,
}

impl Kind {
    pub(crate) const ALL: [Self; 12] = [
        Self::NoCache,
        Self::ExactToken,
        Self::HeadRevision,
        Self::Quantized,
        Self::QuantizedByWrites,
        Self::TimeToLive,
        Self::WholeStore,
        Self::Ours,
        Self::OursAround,
        Self::Followed,
        Self::FollowedWithStructure,
        Self::Oracle,
    ];

    /// Those that differ where the feed does, and what they are compared with.
    pub(crate) const WITH_FEED: [Self; 4] = [Self::Ours, Self::Followed, Self::FollowedWithStructure, Self::Oracle];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::NoCache => "no cache",
            Self::ExactToken => "keyed by exact token",
            Self::HeadRevision => "keyed by head revision",
            Self::Quantized => "quantized, as SpiceDB (CRDB)",
            Self::QuantizedByWrites => "quantized, as SpiceDB (Postgres)",
            Self::TimeToLive => "time to live",
            Self::WholeStore => "whole store, as OpenFGA",
            Self::Ours => "tower-zookie",
            Self::OursAround => "tower-zookie, writes elsewhere",
            Self::Followed => "followed",
            Self::FollowedWithStructure => "followed, with structure",
            Self::Oracle => "causal oracle",
        }
    }

    /// Whether it claims to cover every token: then a single violation is a bug.
    pub(crate) fn promises_floors(self) -> bool {
        !matches!(self, Self::TimeToLive | Self::WholeStore)
    }

    /// Whether it is the crate's own cache.
    pub(crate) fn is_ours(self) -> bool {
        matches!(
            self,
            Self::Ours | Self::OursAround | Self::Followed | Self::FollowedWithStructure
        )
    }

    /// To be called on the runtime of its run.
    pub(crate) fn build(self, terms: &Terms, world: &World) -> Arc<dyn Policy> {
        match self {
            Self::NoCache => Keyed::new(NoCache, terms),
            Self::ExactToken => Keyed::new(ExactToken::new(terms), terms),
            Self::HeadRevision => Keyed::new(HeadRevision::new(terms), terms),
            Self::Quantized => Keyed::new(Quantized::new(terms, Naming::Time), terms),
            Self::QuantizedByWrites => Keyed::new(Quantized::new(terms, Naming::Writes), terms),
            Self::TimeToLive => Keyed::new(TimeToLive::new(terms), terms),
            Self::WholeStore => Keyed::new(WholeStore::new(terms), terms),
            Self::Ours => Arc::new(Ours::new(terms, true)),
            Self::OursAround => Arc::new(Ours::new(terms, false)),
            Self::Followed => Arc::new(Ours::followed(terms, world, false)),
            Self::FollowedWithStructure => Arc::new(Ours::followed(terms, world, true)),
            Self::Oracle => Keyed::new(Oracle::new(terms), terms),
        }
    }
}
