//! What operators can do to the cache.

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tower_zookie::Handle;
use tower_zookie::protocol::Protocol;

/// Drops every answer and everything known about the store.
pub(super) async fn purge<P: Protocol>(State(layer): State<Handle<P>>) -> &'static str {
    layer.purge();
    tracing::info!("an operator purged the cache");
    "purged\n"
}

pub(super) async fn shown<P: Protocol>(State(layer): State<Handle<P>>) -> &'static str {
    state(layer.is_pass_through())
}

/// `?on` or `?off`.
pub(super) async fn switch<P: Protocol>(State(layer): State<Handle<P>>, RawQuery(query): RawQuery) -> Response {
    let on = match query.as_deref() {
        Some("on") => true,
        Some("off") => false,
        _ => {
            let why = "say /pass-through?on or /pass-through?off\n";
            return (StatusCode::BAD_REQUEST, why).into_response();
        }
    };
    layer.set_pass_through(on);
    if on {
        tracing::warn!("an operator switched pass-through on: no request is answered from memory");
    } else {
        tracing::info!("an operator switched pass-through off");
    }
    state(on).into_response()
}

fn state(on: bool) -> &'static str {
    match on {
        true => "pass-through is on\n",
        false => "pass-through is off\n",
    }
}
