//! What operators ask.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};
use tower_zookie::Handle;
use tower_zookie::protocol::Protocol;

use super::ready::{NotReady, Probe};
use super::serve::Serving;

const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// `/stats`, `/metrics`, `/healthz`, `/readyz`.
pub(super) fn router<P: Protocol>(layer: &Handle<P>, probes: Vec<Probe>, serving: Serving) -> Router {
    let recorder = Arc::new(PrometheusBuilder::new().build_recorder());
    let handle = layer.clone();
    let metrics = move || async move { ([(CONTENT_TYPE, PROMETHEUS_TEXT)], scrape(&recorder, &handle)) };
    let ready = move || async move {
        match ready(probes, &serving).await {
            Ok(()) => (StatusCode::OK, "ready\n").into_response(),
            Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
        }
    };
    Router::new()
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .merge(examples_common::stats(layer.clone()))
}

fn scrape<P: Protocol>(recorder: &PrometheusRecorder, layer: &Handle<P>) -> String {
    metrics::with_local_recorder(recorder, || layer.stats().publish_metrics(&[]));
    recorder.handle().render()
}

async fn ready(probes: Vec<Probe>, serving: &Serving) -> Result<(), NotReady> {
    if serving.has_changed().is_err() {
        return Err(NotReady::Stopping);
    }
    for probe in probes {
        probe.ask().await?;
    }
    Ok(())
}
