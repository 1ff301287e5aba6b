use std::cmp::Ordering;
use std::sync::Arc;

use crate::token::error::TokenError;
use crate::token::format::TokenFormat;
use crate::token::memo::Token;
use crate::token::side_by_side::SideBySide;
use crate::token::zookie::Zookie;

/// How the revisions of two tokens compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Comparison {
    /// They name the same revision, perhaps in different texts.
    Equal,
    /// The first one is older than the second.
    Before,
    /// The first one is newer than the second.
    After,
    /// Neither is known to include the other.
    Concurrent,
    /// They belong to different stores, and never compare.
    DifferentStores,
}

/// Compares two tokens of one format.
///
/// Tokens are compared by the revisions that they name, never as text. The numbers of SpiceDB on MySQL compare as numbers,
/// although a smaller one can be committed later.
///
/// ```
/// use tower_zookie::token::spicedb::{Engine, ZedTokens};
/// use tower_zookie::token::{Comparison, compare};
///
/// let format = ZedTokens::new(Engine::Memory);
/// assert_eq!(compare(&format, "CAIaAwoBMQ==", "CAIaAwoBNA==")?, Comparison::Before);
/// // It names another datastore.
/// assert_eq!(compare(&format, "CAIaAwoBMQ==", "Gg4KAjQyEghzb21ldW5pcQ==")?, Comparison::DifferentStores);
/// # Ok::<(), tower_zookie::token::TokenError>(())
/// ```
///
/// # Errors
///
/// Those of [`TokenFormat::decode`], for either token.
pub fn compare(format: &dyn TokenFormat, one: &str, other: &str) -> Result<Comparison, TokenError> {
    let (one, other) = (format.decode(one)?, format.decode(other)?);
    Ok(match one.partial_cmp(&other) {
        Some(Ordering::Equal) => Comparison::Equal,
        Some(Ordering::Less) => Comparison::Before,
        Some(Ordering::Greater) => Comparison::After,
        None if one.store() == other.store() => Comparison::Concurrent,
        None => Comparison::DifferentStores,
    })
}

/// The fewest tokens that together demand what all of these demand.
///
/// Mostly it is one. A token that is at or after another one takes its place; where two tokens are concurrent and have a
/// join, the join takes the place of both. Tokens without a join, and tokens of different stores, stand side by side: a
/// caller has to send all of them. What a token says beside its revision, such as the hash of a schema, is lost in a join.
///
/// ```
/// use tower_zookie::token::permify::{Engine, SnapTokens};
/// use tower_zookie::token::join;
///
/// let format = SnapTokens::new(Engine::Postgres);
/// // Of two writes one after the other: the newer one.
/// let joined = join(&format, ["MTI3MzoxMjczOjEyNzQ6MTI3Mw==", "MTI3NDoxMjc0OjEyNzU6MTI3NA=="])?;
/// assert_eq!(joined.iter().map(|token| token.as_str()).collect::<Vec<_>>(), ["MTI3NDoxMjc0OjEyNzU6MTI3NA=="]);
/// // Of two writes at once: Permify has no token that includes just both.
/// let joined = join(&format, ["MTI4MDoxMjc4OjEyODE6MTI4MA==", "MTI4MjoxMjc4OjEyODM6MTI4Mg=="])?;
/// assert_eq!(joined.len(), 2);
/// # Ok::<(), tower_zookie::token::TokenError>(())
/// ```
///
/// # Errors
///
/// Those of [`TokenFormat::decode`] and of [`Zookie::new`], for any of the tokens.
pub fn join<'a>(
    format: &dyn TokenFormat,
    tokens: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<Zookie>, TokenError> {
    let mut all = SideBySide::default();
    for text in tokens {
        let token = Token::new(Zookie::new(text, text.len())?, format.decode(text)?);
        all.add(|revision| format.encode(revision), Arc::new(token));
    }
    Ok(all.tokens().iter().map(|token| token.zookie.clone()).collect())
}
