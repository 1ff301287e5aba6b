use crate::protocol::call::Route;

/// Routes from here on are REST's; those before are gRPC's.
pub(super) const FIRST_REST: usize = 64;

/// The form in which a call comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Grpc,
    Rest,
}

impl Form {
    pub(super) fn of(route: Route) -> Self {
        if route.0 < FIRST_REST { Self::Grpc } else { Self::Rest }
    }
}
