use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use crate::cache::distribution::Counted;

/// Where a token of a request travelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CarriedIn {
    Header,
    /// A header of a gRPC request.
    Metadata,
    Cookie,
    Query,
    Message,
}

/// Why the layer could not use a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Malformed,
    TooLong,
    TooManyEntries,
    TooManyTokens,
    Foreign,
    Expired,
    DoNotJoin,
    UnknownKey,
    WrongSignature,
    TooOld,
    FromFuture,
}

/// Tokens of requests, by the place where they travelled. An unreadable token counts too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Tokens {
    /// In a header of a request that is not gRPC.
    pub header: u64,
    /// In gRPC metadata.
    pub metadata: u64,
    /// In a cookie.
    pub cookie: u64,
    /// In the query.
    pub query: u64,
    /// In the message.
    pub message: u64,
}

/// Tokens of requests that the layer could not use, by reason. It rejected the request, read at head (a cookie), or let the
/// upstream judge (a token in the message).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RefusedTokens {
    /// The text is not a token of this format.
    pub malformed: u64,
    /// The text is longer than allowed.
    pub too_long: u64,
    /// The token names more nodes or transactions than allowed.
    pub too_many_entries: u64,
    /// The request has more tokens than allowed.
    pub too_many_tokens: u64,
    /// The token belongs to another store.
    pub foreign: u64,
    /// The token is older than allowed, or its snapshot has expired.
    pub expired: u64,
    /// The tokens of one request can't be combined.
    pub do_not_join: u64,
    /// The token is signed with a key that is not known here.
    pub unknown_key: u64,
    /// The token's signature is wrong.
    pub wrong_signature: u64,
    /// The signed token was issued longer ago than allowed.
    pub too_old: u64,
    /// The signed token was issued later than it is now.
    pub from_future: u64,
}

#[derive(Debug, Default)]
pub(super) struct TokenCounters {
    carried: [AtomicU64; 5],
    signed: [AtomicU64; 5],
    refused: [AtomicU64; 11],
    pub(super) ages: Counted,
}

impl TokenCounters {
    pub(super) fn carried(&self, place: CarriedIn) {
        self.carried[place as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a token with a right signature that was issued so many seconds ago.
    pub(super) fn signed(&self, place: CarriedIn, age: u64) {
        self.signed[place as usize].fetch_add(1, Ordering::Relaxed);
        self.ages.add(age);
    }

    pub(super) fn refused(&self, why: Refusal) {
        self.refused[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn total<'a>(all: &(impl Iterator<Item = &'a Self> + Clone)) -> (Tokens, Tokens, RefusedTokens) {
        let by_place = |of: fn(&Self) -> &[AtomicU64; 5]| {
            let sum = |place: CarriedIn| {
                let one = |one: &Self| of(one)[place as usize].load(Ordering::Relaxed);
                all.clone().map(one).sum()
            };
            Tokens {
                header: sum(CarriedIn::Header),
                metadata: sum(CarriedIn::Metadata),
                cookie: sum(CarriedIn::Cookie),
                query: sum(CarriedIn::Query),
                message: sum(CarriedIn::Message),
            }
        };
        let refused = |why: Refusal| {
            let one = |one: &Self| one.refused[why as usize].load(Ordering::Relaxed);
            all.clone().map(one).sum()
        };
        let refused = RefusedTokens {
            malformed: refused(Refusal::Malformed),
            too_long: refused(Refusal::TooLong),
            too_many_entries: refused(Refusal::TooManyEntries),
            too_many_tokens: refused(Refusal::TooManyTokens),
            foreign: refused(Refusal::Foreign),
            expired: refused(Refusal::Expired),
            do_not_join: refused(Refusal::DoNotJoin),
            unknown_key: refused(Refusal::UnknownKey),
            wrong_signature: refused(Refusal::WrongSignature),
            too_old: refused(Refusal::TooOld),
            from_future: refused(Refusal::FromFuture),
        };
        (by_place(|one| &one.carried), by_place(|one| &one.signed), refused)
    }
}
