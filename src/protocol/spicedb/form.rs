use crate::protocol::call::Route;

/// The gateway's first route. Lower routes belong to gRPC.
pub(super) const FIRST_JSON: usize = 64;

/// The wire of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Grpc,
    Json,
}

impl Form {
    pub(super) fn of(route: Route) -> Self {
        if route.0 < FIRST_JSON { Self::Grpc } else { Self::Json }
    }
}
