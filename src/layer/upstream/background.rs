use std::sync::Arc;

use crate::cache::Questions;
use crate::layer::body::RequestBody;
use crate::layer::inner::Upstream;
use crate::layer::pending::Pending;
use crate::layer::state::LayerState;
use crate::layer::upstream::fetch::{InnerFetch, Open};
use crate::protocol::Protocol;

/// Begins a background read: a request's own question and credentials, asked again without its token. So a store that does
/// not move still gives hits, and entries do not all end at once.
pub(in crate::layer) fn read_in_background<S, P, B>(
    state: &Arc<LayerState<P>>,
    inner: S,
    pending: &Arc<Pending>,
    questions: &Questions,
) where
    S: Upstream<B>,
    P: Protocol,
    B: RequestBody,
{
    let all = Open::These((0..questions.each().len()).collect());
    let fetch = InnerFetch::<S, P, B>::new(state, inner, pending, all);
    state.cache.read_in_background(questions, fetch);
}
