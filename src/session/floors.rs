use std::sync::Arc;

use crate::revision::StoreId;
use crate::token::{SideBySide, Token, TokenMemo};

/// How many tokens a session holds at most: as many as a request may have.
pub(super) const MOST_TOKENS: usize = 8;

/// What a session demands of the calls that are made under it, and what has become of it. It only ever rises.
#[derive(Clone, Debug, Default)]
pub(super) struct Floors {
    tokens: SideBySide,
    /// Every call has to be fully consistent.
    pub(super) at_head: bool,
    /// A floor is in none of the tokens, so whoever continues the session has to ask fully consistent too.
    pub(super) incomplete: bool,
    /// A write has named one of the tokens.
    pub(super) written: bool,
    /// The caller has no token, or none that is of use: it needs the session's.
    pub(super) needed: bool,
    /// How often anything of this has changed.
    pub(super) version: u64,
}

impl Floors {
    /// Adds a token.
    pub(super) fn add(&mut self, memo: &TokenMemo, token: Arc<Token>) {
        if self.tokens.add(|revision| memo.spell(revision), token) {
            self.version += 1;
        }
        if self.tokens.truncate(MOST_TOKENS) {
            self.lose();
        }
    }

    /// Notes a write that has named no token.
    pub(super) fn write_without_token(&mut self) {
        self.written = true;
        self.lose();
    }

    /// Adds the token of a write.
    pub(super) fn add_written(&mut self, memo: &TokenMemo, token: Arc<Token>) {
        if !self.written {
            self.written = true;
            self.version += 1;
        }
        self.add(memo, token);
    }

    /// Notes a floor that no token can hold.
    pub(super) fn lose(&mut self) {
        if !self.incomplete {
            (self.at_head, self.incomplete) = (true, true);
            self.version += 1;
        }
    }

    /// Notes that a store has been called of which the caller may have no token, because its own are of other stores.
    pub(super) fn met(&mut self, store: &StoreId) {
        let mut stores = self.tokens().iter().map(|token| token.revision.store());
        self.needed |= !stores.any(|known| known == store);
    }

    pub(super) fn tokens(&self) -> &[Arc<Token>] {
        self.tokens.tokens()
    }

    /// The store of all tokens, if they are of one.
    pub(super) fn only_store(&self) -> Option<&StoreId> {
        let first = self.tokens().first()?.revision.store();
        let mut stores = self.tokens().iter().map(|token| token.revision.store());
        stores.all(|store| store == first).then_some(first)
    }
}
