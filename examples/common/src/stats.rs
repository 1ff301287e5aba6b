//! `GET /stats`: what the layer has done.

use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use tower_zookie::Handle;
use tower_zookie::cache::{Distribution, Stats};
use tower_zookie::protocol::Protocol;

#[derive(Debug, Serialize)]
struct Report<M> {
    #[serde(flatten)]
    stats: Stats,
    #[serde(flatten)]
    more: M,
    /// The newest revision that the store itself named.
    newest_revision: Option<String>,
    summary: Summary,
}

#[derive(Debug, Serialize)]
struct Summary {
    age_micros: Quantiles,
    token_lag: Quantiles,
}

#[derive(Debug, Serialize)]
struct Quantiles {
    count: u64,
    p50: Option<u64>,
    p90: Option<u64>,
    p99: Option<u64>,
}

impl From<&Distribution> for Quantiles {
    fn from(distribution: &Distribution) -> Self {
        Self {
            count: distribution.count(),
            p50: distribution.quantile(0.5),
            p90: distribution.quantile(0.9),
            p99: distribution.quantile(0.99),
        }
    }
}

/// A route `/stats`, with what this layer has done, and more.
pub fn stats<P: Protocol, M: Serialize>(
    layer: Handle<P>,
    more: impl Fn() -> M + Clone + Send + Sync + 'static,
) -> Router {
    let report = move || async move {
        let stats = layer.stats();
        Json(Report {
            more: more(),
            summary: Summary {
                age_micros: (&stats.age_micros).into(),
                token_lag: (&stats.token_lag).into(),
            },
            newest_revision: layer.newest_revision().map(|zookie| zookie.to_string()),
            stats,
        })
    };
    Router::new().route("/stats", get(report))
}
