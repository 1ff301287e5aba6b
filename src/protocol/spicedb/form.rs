use crate::protocol::call::Route;

/// Routes from here on are the gateway's; those before are gRPC's.
pub(super) const FIRST_JSON: usize = 64;

/// The form in which a call comes.
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
