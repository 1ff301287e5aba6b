use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;

use crate::cache::distribution::{Counted, Distribution};

/// The calls that the layer made to the upstream and whose replies it read: checks, other reads, writes and probes. What it
/// only passes on is not among them, and of a stream only the reply's head counts.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct UpstreamStats {
    /// How long the replies took, in microseconds. Calls without a reply are not among them.
    pub latency_micros: Distribution,
    /// Replies that are errors, by status: gRPC's names (`UNAVAILABLE`), HTTP's numbers (`503`; `4xx` and `5xx` for those
    /// that are not named), and `no_reply` for calls without a reply.
    pub errors: BTreeMap<&'static str, u64>,
}

/// How an upstream call ended that did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UpstreamError {
    NoReply,
    /// A gRPC status other than 0.
    Grpc(u16),
    /// An HTTP status of 400 or more.
    Http(u16),
}

const NO_REPLY: &str = "no_reply";

/// By code, from 1.
const GRPC: [&str; 16] = [
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

const HTTP: [(u16, &str); 12] = [
    (400, "400"),
    (401, "401"),
    (403, "403"),
    (404, "404"),
    (408, "408"),
    (409, "409"),
    (412, "412"),
    (429, "429"),
    (500, "500"),
    (502, "502"),
    (503, "503"),
    (504, "504"),
];

const STATUSES: usize = 1 + GRPC.len() + HTTP.len() + 2;

impl UpstreamError {
    /// Its place among all statuses.
    fn place(self) -> usize {
        let of_http = 1 + GRPC.len();
        match self {
            Self::NoReply => 0,
            Self::Grpc(code) => match usize::from(code) {
                code @ 1..=16 => code,
                // What gRPC makes of a code that it does not know.
                _ => 2,
            },
            Self::Http(status) => match HTTP.iter().position(|(named, _)| *named == status) {
                Some(place) => of_http + place,
                None if status < 500 => of_http + HTTP.len(),
                None => of_http + HTTP.len() + 1,
            },
        }
    }
}

/// The names of all statuses, in their places.
fn names() -> impl Iterator<Item = &'static str> {
    let http = HTTP.iter().map(|(_, name)| *name);
    [NO_REPLY].into_iter().chain(GRPC).chain(http).chain(["4xx", "5xx"])
}

#[derive(Debug)]
pub(super) struct UpstreamCounters {
    latency: Counted,
    errors: [AtomicU64; STATUSES],
}

impl Default for UpstreamCounters {
    fn default() -> Self {
        Self {
            latency: Counted::default(),
            errors: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }
}

impl UpstreamCounters {
    pub(super) fn replied(&self, after: Duration) {
        self.latency.add(micros(after));
    }

    pub(super) fn failed(&self, error: UpstreamError) {
        self.errors[error.place()].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn total<'a>(all: &(impl Iterator<Item = &'a Self> + Clone)) -> UpstreamStats {
        let count = |place: usize| all.clone().map(|one| one.errors[place].load(Ordering::Relaxed)).sum();
        UpstreamStats {
            latency_micros: Counted::total(all.clone().map(|one| &one.latency)),
            errors: names().enumerate().map(|(place, name)| (name, count(place))).collect(),
        }
    }
}

/// Without the division of 128-bit numbers that `as_micros` takes.
pub(super) fn micros(duration: Duration) -> u64 {
    duration
        .as_secs()
        .saturating_mul(1_000_000)
        .saturating_add(u64::from(duration.subsec_micros()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_counted_by_status() {
        let counters = UpstreamCounters::default();
        for error in [
            UpstreamError::NoReply,
            UpstreamError::Grpc(1),
            UpstreamError::Grpc(14),
            UpstreamError::Grpc(16),
            UpstreamError::Grpc(99),
            UpstreamError::Http(400),
            UpstreamError::Http(418),
            UpstreamError::Http(504),
            UpstreamError::Http(599),
        ] {
            counters.failed(error);
        }
        let stats = UpstreamCounters::total(&[&counters].into_iter());
        assert_eq!(stats.errors.len(), STATUSES);
        let errors = stats.errors.into_iter().filter(|(_, count)| *count > 0);
        let expected = [
            "400",
            "4xx",
            "504",
            "5xx",
            "CANCELLED",
            "UNAUTHENTICATED",
            "UNAVAILABLE",
            "UNKNOWN",
            "no_reply",
        ];
        assert!(errors.eq(expected.map(|name| (name, 1))));
    }
}
