use http::{HeaderMap, Method as HttpMethod, Uri};

use crate::protocol::call::Route;
use crate::protocol::grpc::content_type::is_grpc;

/// A method that the cache handles.
#[derive(Debug)]
pub(in crate::protocol) struct Method<D> {
    pub(in crate::protocol) path: &'static str,
    pub(in crate::protocol) does: D,
}

/// The methods of an API that the cache handles. A method's route is its index.
#[derive(Debug)]
pub(in crate::protocol) struct Methods<D: 'static>(pub(in crate::protocol) &'static [Method<D>]);

impl<D> Methods<D> {
    /// The method that a request calls.
    pub(in crate::protocol) fn called(
        &self,
        method: &HttpMethod,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Option<(Route, &'static D)> {
        // gRPC servers read a query as part of the method's name, and no method has such a name.
        if *method != HttpMethod::POST || uri.query().is_some() || !is_grpc(headers) {
            return None;
        }
        let nth = self.0.iter().position(|method| method.path == uri.path())?;
        Some((Route(nth), &self.0[nth].does))
    }

    pub(in crate::protocol) fn of(&self, route: Route) -> Option<&'static Method<D>> {
        self.0.get(route.0)
    }
}
