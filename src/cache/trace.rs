use std::collections::BTreeMap;
use std::hash::Hasher;
use std::sync::{LazyLock, Mutex, PoisonError};

use siphasher::sip::SipHasher13;

/// What a named part of a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Named {
    /// Where the request goes: its path, its method.
    Endpoint,
    Credential,
    Header,
    Cookie,
    Query,
    /// A member of the message.
    Member,
    /// A member of the context that the message has.
    Context,
}

/// The names of what goes into a key, each with a hash of its values. Made for explanations and warnings, so that no value
/// leaves.
#[derive(Debug)]
pub(crate) struct Trace {
    hasher: SipHasher13,
    parts: Mutex<BTreeMap<(Named, String), u64>>,
}

/// The values are the callers' to choose.
static KEY: LazyLock<[u8; 16]> = LazyLock::new(rand::random);

/// The most names that are kept.
const MOST: usize = 256;

impl Trace {
    pub(crate) fn new() -> Self {
        Self {
            hasher: SipHasher13::new_with_key(&KEY),
            parts: Mutex::default(),
        }
    }

    pub(super) fn note(&self, named: Named, name: &str, value: &[u8]) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let known = parts.len();
        let name = (named, name.to_owned());
        if known == MOST && !parts.contains_key(&name) {
            return;
        }
        let hash = parts.entry(name).or_default();
        let mut hasher = self.hasher;
        hasher.write_u64(*hash);
        hasher.write(value);
        *hash = hasher.finish();
    }

    /// The names, each with a hash of its values.
    pub(crate) fn parts(&self) -> Vec<(Named, String, u64)> {
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let part = |((named, name), hash): (&(Named, String), &u64)| (*named, name.clone(), *hash);
        parts.iter().map(part).collect()
    }
}
