//! SpiceDB's services on an embedded store. They know nothing of the layer outside.

mod check;
mod filter;
mod fresh;
mod names;
mod permissions;
mod problem;
mod relationships;
mod schema;
mod tokens;

use std::sync::{Arc, Mutex};

use tower_zookie::store::Store;

use self::tokens::Tokens;

pub(crate) use self::tokens::ENGINE;

/// What all calls share.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    store: Arc<Store>,
    tokens: Tokens,
    /// Held from reading what to delete until it is deleted.
    writing: Arc<Mutex<()>>,
}

impl Service {
    pub(crate) fn new(store: Store) -> Self {
        Self {
            tokens: Tokens::new(&store),
            store: Arc::new(store),
            writing: Arc::default(),
        }
    }
}
