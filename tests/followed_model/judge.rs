//! The judge, which knows the store's whole history.

use std::time::Duration;

use proptest::prelude::*;
use tokio::time::Instant;
use tower_zookie::cache::{CheckError, Checked};
use tower_zookie::revision::Revision;

use crate::server::{LAG, Rejected, Server, Told};
use crate::world::{BOUND, FOLLOWED_TIME_TO_LIVE};

/// What a caller demanded.
#[derive(Clone, Debug)]
pub(crate) enum Demanded {
    AtLeast(Option<Revision>),
    Exactly(Revision),
    Full,
    Within(Duration),
}

/// A request and its reply.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) question: usize,
    pub(crate) demanded: Demanded,
    /// The caller got every revision that it sends from the store.
    pub(crate) is_honest: bool,
    pub(crate) arrived: Instant,
    pub(crate) answered: Instant,
    pub(crate) reply: Result<Checked<Told>, CheckError<Rejected>>,
}

impl Exchange {
    fn meanwhile(&self, then: Instant) -> bool {
        (self.arrived..=self.answered).contains(&then)
    }
}

pub(crate) fn judge(server: &mut Server, exchange: &Exchange) -> Result<(), TestCaseError> {
    let checked = match &exchange.reply {
        Ok(checked) => checked,
        // Two head reads in a row were answered with a head from before.
        Err(CheckError::Behind(_)) if server.shared.iter().filter(|then| exchange.meanwhile(**then)).count() > 1 => {
            return Ok(());
        }
        Err(error) => {
            prop_assert!(!exchange.is_honest, "no answer: {} {:?}", error, exchange);
            return Ok(());
        }
    };
    let told = &checked.value;
    let is_shared = checked.is_hit() || checked.coalesced;
    let Some(at) = &checked.revision else {
        // It may have been read at a forged snapshot, where reads do not repeat.
        prop_assert!(
            !is_shared && !checked.stored,
            "shared without a revision: {:?}",
            exchange
        );
        return Ok(());
    };
    let evaluated = server.store.verdict(&told.at, exchange.question);
    prop_assert_eq!(told.allowed, evaluated, "wrong where it was evaluated: {:?}", exchange);
    let verdict = server.store.verdict(at, exchange.question);
    prop_assert_eq!(
        told.allowed,
        verdict,
        "wrong at the revision that it claims: {:?}",
        exchange
    );
    if let Some(through) = &checked.through {
        let verdict = server.store.verdict(through, exchange.question);
        prop_assert_eq!(told.allowed, verdict, "not true as long as it claims: {:?}", exchange);
        prop_assert!(through >= at, "it ends before it begins: {:?}", exchange);
    }
    prop_assert!(*at >= told.at, "it claims a revision before its own: {:?}", exchange);
    prop_assert!(
        exchange.arrived < told.evaluated + FOLLOWED_TIME_TO_LIVE,
        "it lives too long: {:?}",
        exchange
    );
    match &exchange.demanded {
        Demanded::Exactly(snapshot) => {
            prop_assert_eq!(at, snapshot, "not at its snapshot: {:?}", exchange);
            return Ok(());
        }
        Demanded::Full => {
            prop_assert!(!checked.is_hit(), "a full read from memory: {:?}", exchange);
            let mut heads = server.answered_at_head.iter();
            prop_assert!(
                heads.any(|(then, head)| exchange.meanwhile(*then) && head == at),
                "no head meanwhile: {:?}",
                exchange
            );
        }
        Demanded::AtLeast(floor) => {
            if let Some(floor) = floor {
                prop_assert!(at >= floor, "below its floor: {:?}", exchange);
            }
            let is_own = floor.as_ref() == Some(at) && !is_shared;
            if !is_own {
                covers_all_before(server, exchange, at, BOUND)?;
            }
        }
        Demanded::Within(bound) => covers_all_before(server, exchange, at, *bound)?,
    }
    prop_assert!(
        is_named(server, at),
        "the store never named it: {:?} {:?}",
        at,
        exchange
    );
    Ok(())
}

/// Whether `at` includes all that was acknowledged before the bound, apart from what the store itself lags.
fn covers_all_before(
    server: &Server,
    exchange: &Exchange,
    at: &Revision,
    bound: Duration,
) -> Result<(), TestCaseError> {
    let Some(since) = exchange.arrived.checked_sub(bound + LAG) else {
        return Ok(());
    };
    let before = server
        .store
        .committed
        .iter()
        .filter(|committed| committed.ended < since);
    for committed in before {
        prop_assert!(
            server.store.sees(at, committed.stamp),
            "older than {:?}: it lacks {:?} {:?}",
            bound,
            committed,
            exchange
        );
    }
    Ok(())
}

/// Whether the store named the revision, or named revisions of which it is the join.
fn is_named(server: &Server, at: &Revision) -> bool {
    let below = server.named.iter().filter(|named| *named <= at).cloned();
    let joined = below.reduce(|one, other| one.join(&other).unwrap_or(one));
    joined.is_some_and(|joined| joined == *at)
}
