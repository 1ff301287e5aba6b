use std::sync::Arc;

use http::Response;
use tokio::time::timeout_at;

use crate::cache::{Fetched, Miss, Questions};
use crate::layer::body::{RequestBody, ZookieBody};
use crate::layer::inner::Upstream;
use crate::layer::pending::Pending;
use crate::layer::response::CacheStatus;
use crate::layer::state::LayerState;
use crate::layer::upstream::ask::Asked;
use crate::layer::upstream::fetch::{InnerFetch, Open};
use crate::protocol::{Protocol, Rejection};

/// Asks one question that the cache could not answer.
pub(in crate::layer) async fn ask_check<S, P, B>(
    state: Arc<LayerState<P>>,
    inner: S,
    pending: Arc<Pending>,
    questions: Questions,
    why: Miss,
) -> Result<Response<ZookieBody<S::ResBody>>, S::Error>
where
    S: Upstream<B>,
    P: Protocol,
    B: RequestBody,
{
    let mut fetch = InnerFetch::<S, P, B>::new(&state, inner, &pending, Open::TheOnly);
    let asking = state.ask(&pending, &questions, &mut fetch);
    let Some(Asked {
        outcome,
        replace_cookie,
    }) = in_time(&pending, asking).await
    else {
        return Ok(state.reject_pending(&pending, &Rejection::UpstreamTimeout));
    };
    match outcome {
        Ok(Fetched::Shared(landed)) => {
            let decision = &landed.first;
            state.count_lag(&pending.requirement, decision.label());
            let status = CacheStatus::Missed {
                why,
                stored: false,
                collapsed: true,
            };
            Ok(state.waited_for(&pending, &decision.value, replace_cookie, status))
        }
        Ok(Fetched::Own { reply, landed }) => state.own_reply(&pending, reply, landed.as_ref(), replace_cookie, why),
        Err(failure) => Ok(state.failed(&pending, &failure, replace_cookie)),
    }
}

/// Waits as long as the caller of a request is ready to. `None`: it took longer. A flight goes on for others.
pub(super) async fn in_time<T>(pending: &Pending, output: impl Future<Output = T>) -> Option<T> {
    let deadline = pending.timeout.and_then(|timeout| pending.arrived.checked_add(timeout));
    match deadline {
        Some(deadline) => timeout_at(deadline, output).await.ok(),
        None => Some(output.await),
    }
}
