use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::ask::Asker;
use super::body::RequestBody;
use super::decide::Asking;
use super::shared::Shared;
use crate::cache::Questions;
use crate::protocol::{Kind, Protocol};

/// Begins a background read: a request's own question and credentials, asked again without its token. So a store that does
/// not move still gives hits, and entries do not all end at once.
pub(super) fn begin<S, P, B, R>(shared: &Arc<Shared<P>>, service: S, asking: Asking)
where
    S: Service<Request<B>, Response = Response<R>, Error: Send, Future: Send> + Clone + Send + 'static,
    B: RequestBody,
    R: Body<Data = Bytes, Error: Send> + Send + 'static,
    P: Protocol,
{
    let questions = match &asking.call.kind {
        Kind::Check(question) => Questions::one(*question, asking.caller),
        Kind::Bulk(each) => shared.questions(each.iter().copied().collect(), &asking),
        Kind::Write { .. } | Kind::Read { .. } | Kind::Page => return,
    };
    let asking = Arc::new(asking);
    let asker = Asker {
        shared,
        service,
        asking: &asking,
        open: (0..questions.each.len()).collect(),
    };
    asker.ask_in_background::<B, R>(&questions);
}
