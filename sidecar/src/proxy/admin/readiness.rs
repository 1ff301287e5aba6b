//! Whether the sidecar can answer.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use tokio::task::JoinSet;
use tower_zookie::Handle;
use tower_zookie::protocol::Protocol;

use crate::proxy::ready::{NotReady, Probe};
use crate::proxy::serve::Serving;

/// What readiness depends on.
#[derive(Debug)]
pub(in crate::proxy) struct Readiness<P> {
    pub(in crate::proxy) layer: Handle<P>,
    pub(in crate::proxy) probes: Vec<Probe>,
    /// How many change feeds are to be followed.
    pub(in crate::proxy) feeds: u64,
    pub(in crate::proxy) serving: Serving,
}

/// `/readyz`: ready while every upstream answers, or while answers are in memory. With `?strict`, only if every upstream
/// answers and every change feed is followed. What is not followed is named in any case.
pub(super) async fn reply<P: Protocol>(
    State(readiness): State<Arc<Readiness<P>>>,
    RawQuery(query): RawQuery,
) -> (StatusCode, String) {
    if readiness.serving.has_changed().is_err() {
        return (StatusCode::SERVICE_UNAVAILABLE, "the sidecar is stopping\n".to_owned());
    }
    let down = readiness.down().await;
    let strict = query.as_deref() == Some("strict");
    let lost = readiness.not_followed();
    if strict && !lost.is_empty() {
        (StatusCode::SERVICE_UNAVAILABLE, down + &lost)
    } else if down.is_empty() {
        (StatusCode::OK, format!("ready\n{lost}"))
    } else if !strict && readiness.can_hit() {
        (StatusCode::OK, format!("ready to answer from memory\n{down}"))
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, down)
    }
}

impl<P: Protocol> Readiness<P> {
    /// What is down, a line each.
    async fn down(&self) -> String {
        let mut asked = JoinSet::new();
        for probe in self.probes.iter().cloned() {
            let name = probe.name();
            asked.spawn(async move { (name, probe.ask().await) });
        }
        let mut down: Vec<String> = asked
            .join_all()
            .await
            .into_iter()
            .filter_map(|(name, asked): (&str, Result<(), NotReady>)| Some(format!("{name}: {}\n", asked.err()?)))
            .collect();
        down.sort();
        down.concat()
    }

    /// A line if change feeds are not followed that are to be. Answers then live as they do without a feed.
    fn not_followed(&self) -> String {
        let followed = self.layer.stats().feeds.followed;
        match self.feeds.saturating_sub(followed) {
            0 => String::new(),
            missing => format!("change feeds: {missing} of {} not followed\n", self.feeds),
        }
    }

    /// Whether a request can be answered from memory.
    fn can_hit(&self) -> bool {
        !self.layer.is_pass_through() && self.layer.stats().entries > 0
    }
}
