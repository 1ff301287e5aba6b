//! The zookies that are stored with content: those of earlier writes.

use std::sync::{PoisonError, RwLock};

use rand::Rng;
use tower_zookie::token::RevisionToken;

/// A revision and its zookie.
#[derive(Clone, Debug)]
pub(super) struct ContentToken {
    pub(super) revision: u64,
    pub(super) zookie: String,
}

#[derive(Debug)]
pub(super) struct Tokens(RwLock<Vec<ContentToken>>);

impl Tokens {
    /// Those of writes made before the run.
    pub(super) fn new(node: &str, revisions: &[u64]) -> Self {
        let tokens = revisions.iter().map(|&revision| ContentToken {
            revision,
            zookie: RevisionToken::new(node, revision).encode(),
        });
        Self(RwLock::new(tokens.collect()))
    }

    pub(super) fn add(&self, revision: u64, zookie: String) {
        let mut tokens = self.0.write().unwrap_or_else(PoisonError::into_inner);
        tokens.push(ContentToken { revision, zookie });
    }

    /// A zookie as some content may have it: most content is old, and new content is read most.
    pub(super) fn of_some_content(&self, random: &mut impl Rng) -> Option<ContentToken> {
        let tokens = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let last = tokens.len().checked_sub(1)?;
        let back = match random.random_range(0..100) {
            0..10 => 0,
            10..30 => random.random_range(0..=last.min(20)),
            _ => random.random_range(0..=last),
        };
        tokens.get(last - back).cloned()
    }
}
