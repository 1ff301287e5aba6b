use std::sync::Arc;

use http::Response;

use crate::layer::body::{RequestBody, ZookieBody};
use crate::layer::inner::Upstream;
use crate::layer::pending::Pending;
use crate::layer::state::LayerState;
use crate::layer::upstream::bypass::{Bypass, forward_and_compare};
use crate::protocol::{Protocol, Rejection};

pub(in crate::layer) const NEVER_STORED: &str = "a read that is never stored";

/// Forwards a read whose answer is never stored, no lower than its floor.
pub(in crate::layer) async fn forward_read<S, P, B>(
    state: Arc<LayerState<P>>,
    inner: S,
    pending: Box<Pending>,
    why: &'static str,
) -> Result<Response<ZookieBody<S::ResBody>>, S::Error>
where
    S: Upstream<B>,
    P: Protocol,
    B: RequestBody,
{
    let ask = state.read_at_unstored(&pending.requirement, Some(&pending.call));
    let request = ask.and_then(|ask| state.request(&pending, &[], &ask, false));
    let Some(request) = request else {
        return Ok(state.reject_pending(&pending, &Rejection::TokensDoNotJoin));
    };
    let Pending {
        route,
        parts,
        message,
        call,
        requirement,
        ..
    } = *pending;
    let bypass = Bypass::new(route, Some(call), message, parts.headers, requirement, why);
    forward_and_compare(state, inner, request, Box::new(bypass)).await
}
