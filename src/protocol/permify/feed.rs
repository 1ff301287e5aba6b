use crate::protocol::feed::Checkpoints;
use crate::protocol::operation::Operation;
use crate::protocol::permify::meaning::Meaning;
use crate::protocol::permify::operations::{TENANT, WATCH_AFTER};
use crate::protocol::system::{Asked, Followed, System};
use crate::protocol::wire::{Put, Wire};

impl Followed for Meaning {
    /// Permify's gateway has no such path.
    const THROUGH_GATEWAY: bool = false;

    /// Permify sends none. Its feed does not report changes of the schema.
    fn checkpoints(&self) -> Checkpoints {
        Checkpoints::Nothing
    }

    fn open<W: Wire>(watch: &Operation, tenant: &str, from: Option<&str>) -> Asked {
        let after = from.map(|from| (&WATCH_AFTER, Put::Text(from)));
        let tenant = Some((&TENANT, tenant)).filter(|(_, tenant)| !tenant.is_empty());
        W::call(watch, Self::BASE, Some(tenant?), after.as_slice())
    }

    fn canonical(&self, token: &str) -> Option<String> {
        self.format.canonical(token)
    }
}
