use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::revision::StoreId;

const MOST_OTHERS: usize = 8;

/// What replies have shown of the one at the other end.
#[derive(Debug, Default)]
pub(super) struct Channel(Mutex<Known>);

#[derive(Clone, Debug)]
pub(super) enum Known {
    /// It has named no store. It has rejected tokens of these.
    Nothing { others: Vec<StoreId> },
    /// One store.
    Store(StoreId),
    /// A service with sessions of its own, which may know of several stores.
    Service,
}

impl Known {
    /// Whether tokens of this store are sent, where the session's tokens are all of one store or not.
    pub(super) fn takes(&self, store: &StoreId, of_one_store: bool) -> bool {
        match self {
            Self::Nothing { others } => of_one_store && !others.contains(store),
            Self::Store(known) => known == store,
            Self::Service => true,
        }
    }
}

impl Default for Known {
    fn default() -> Self {
        Self::Nothing { others: Vec::new() }
    }
}

impl Channel {
    pub(super) fn known(&self) -> Known {
        self.lock().clone()
    }

    pub(super) fn is_service(&self) {
        *self.lock() = Known::Service;
    }

    /// Notes the store that a reply names.
    pub(super) fn is_of(&self, store: StoreId) {
        *self.lock() = Known::Store(store);
    }

    /// Notes that tokens of this store have been rejected.
    pub(super) fn is_not_of(&self, store: StoreId) {
        if let Known::Nothing { others } = &mut *self.lock()
            && !others.contains(&store)
            && others.len() < MOST_OTHERS
        {
            others.push(store);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // Each change is complete before anything can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
