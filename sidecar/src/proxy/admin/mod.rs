//! What operators ask, and what they can switch.

mod bearer;
mod explain;
mod port;
mod readiness;
mod switches;

use std::sync::Arc;

use axum::http::header::CONTENT_TYPE;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;
use tower_zookie::Handle;
use tower_zookie::protocol::Protocol;

pub use self::bearer::{BadToken, Bearer};
pub(super) use self::explain::Explains;
pub(super) use self::port::Port;
pub use self::port::{Address, At};
pub(super) use self::readiness::Readiness;

const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The port for operators.
#[derive(Clone, Debug)]
pub struct Admin {
    pub address: Address,
    /// What a request must show, except one for `/healthz` and `/readyz`.
    pub bearer: Option<Bearer>,
}

impl Admin {
    /// Whether other machines can reach it, and need no token.
    pub(super) fn is_open_to_others(&self) -> bool {
        matches!(self.address, Address::Tcp(address) if !address.ip().is_loopback()) && self.bearer.is_none()
    }
}

/// All endpoints. `/healthz` and `/readyz` need no token, because what probes them has none, and they say little.
pub(super) fn router<P: Protocol>(
    layer: &Handle<P>,
    readiness: Readiness<P>,
    explains: Explains<P>,
    bearer: Option<Bearer>,
) -> Router {
    let ready = Router::new().route("/readyz", get(readiness::reply).with_state(Arc::new(readiness)));
    let open = Router::new()
        .route("/healthz", get(|| async { "alive\n" }))
        .merge(ready);
    let handle = layer.clone();
    let metrics = move || async move { ([(CONTENT_TYPE, PROMETHEUS_TEXT)], handle.stats().prometheus_text(&[])) };
    let switch = get(switches::shown).post(switches::switch);
    let guarded = Router::new()
        .route("/metrics", get(metrics))
        .route("/version", get(|| async { Json(version()) }))
        .route("/purge", post(switches::purge).with_state(layer.clone()))
        .route("/explain", post(explain::explain).with_state(Arc::new(explains)))
        .route("/pass-through", switch.with_state(layer.clone()))
        .merge(examples_common::stats(layer.clone(), || ()))
        .layer(from_fn_with_state(bearer, bearer::check));
    open.merge(guarded)
}

fn version() -> serde_json::Value {
    json!({ "name": "zookie-sidecar", "version": env!("CARGO_PKG_VERSION") })
}
