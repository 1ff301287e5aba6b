use std::sync::Arc;

use crate::revision::Revision;
use crate::token::memo::Token;
use crate::token::zookie::Zookie;

/// Tokens that stand side by side: no token is at or after another one, and no two have a join that can be spelled.
///
/// Where every two revisions of a store compare, this is one token for each store, the greatest: an answer at it that is
/// read later than all of them were issued covers them all.
#[derive(Clone, Debug, Default)]
pub(crate) struct SideBySide(Vec<Arc<Token>>);

impl SideBySide {
    /// Adds a token, and says whether it raises what was there. `spell` gives the token of a revision.
    pub(crate) fn add(&mut self, spell: impl Fn(&Revision) -> Option<Zookie>, token: Arc<Token>) -> bool {
        self.add_by(&spell, token)
    }

    fn add_by(&mut self, spell: &dyn Fn(&Revision) -> Option<Zookie>, token: Arc<Token>) -> bool {
        let mut known = self.0.iter_mut();
        if let Some(known) = known.find(|known| known.revision.is_at_or_after(&token.revision)) {
            // The same with a signature says more.
            if known.issued < token.issued && known.revision == token.revision {
                *known = token;
            }
            return false;
        }
        self.0.retain(|known| !token.revision.is_at_or_after(&known.revision));
        let mut known = self.0.iter().enumerate();
        match known.find_map(|(place, known)| Some((place, join(spell, known, &token)?))) {
            Some((place, joined)) => {
                self.0.remove(place);
                self.add_by(spell, joined);
            }
            None => self.0.push(token),
        }
        true
    }

    /// All of them; those that were added last are the last.
    pub(crate) fn tokens(&self) -> &[Arc<Token>] {
        &self.0
    }

    /// Removes those that were added first, until `most` are left. Whether there were more.
    pub(crate) fn truncate(&mut self, most: usize) -> bool {
        let surplus = self.0.len().saturating_sub(most);
        self.0.drain(..surplus);
        surplus > 0
    }
}

fn join(spell: &dyn Fn(&Revision) -> Option<Zookie>, one: &Token, other: &Token) -> Option<Arc<Token>> {
    let revision = one.revision.join(&other.revision)?;
    let zookie = spell(&revision)?;
    // It was named when the older one of both was, if both were.
    let issued = one.issued.zip(other.issued).map(|(one, other)| one.min(other));
    Some(Arc::new(Token {
        issued,
        ..Token::new(zookie, revision)
    }))
}
