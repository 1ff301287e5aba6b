//! The compact form: the nodes' ids without what they have in common, and numbers of variable length.
//!
//! The text is [`PREFIX`] and URL-safe base64 without padding. A `.` is in no base64, so no other form begins like this. The
//! bytes are, with every number a varint (7 bits a byte, the lowest first):
//!
//! 1. how many nodes there are, and which of them (from 0) generated the token,
//! 2. the end that all ids share: its length, and its bytes,
//! 3. for each node: how many bytes its id shares with the beginning of the last one, how many follow, these bytes, and
//!    the node's entry.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::token::error::{TokenError, TokenErrorKind};
use crate::token::inferadb::revision_token::RevisionToken;

/// What every compact token begins with.
const PREFIX: &str = "iv1.";

/// What follows the prefix of a compact token. `None`: the text is not one.
pub(super) fn after_prefix(text: &str) -> Option<&str> {
    text.strip_prefix(PREFIX)
}

impl RevisionToken {
    /// The token as text in the compact form: what the nodes' ids have in common stands in it once, and small numbers take
    /// few characters. It begins with `iv1.`, as no token of another system and no JSON form does.
    ///
    /// [`decode`](Self::decode) reads both forms. A token that breaks one of the five rules has no compact form: what is
    /// written then is read as another token, or not at all.
    ///
    /// ```
    /// use tower_zookie::token::RevisionToken;
    ///
    /// let clock = [("us-east-1@8f3a2c41", 38), ("us-west-1@8f3a2c41", 42)];
    /// let token = RevisionToken::with_vector_clock("us-west-1@8f3a2c41", 42, clock);
    /// let text = token.encode_compact();
    /// assert!(text.starts_with("iv1.") && text.len() * 3 < token.encode().len());
    /// assert_eq!(RevisionToken::decode(&text)?, token);
    /// # Ok::<(), tower_zookie::token::TokenError>(())
    /// ```
    pub fn encode_compact(&self) -> String {
        encode(self)
    }
}

/// The compact form of a token whose clock has an entry of its own node.
fn encode(token: &RevisionToken) -> String {
    let clock = &token.vector_clock;
    let own = clock.keys().position(|node| *node == token.node_id).unwrap_or_default();
    let mut ids = clock.keys();
    let shortest = ids.clone().map(String::len).min().unwrap_or_default();
    let suffix = ids.next().map_or(&[][..], |first| {
        let common = ids.fold(shortest, |common, id| {
            let same = first.bytes().rev().zip(id.bytes().rev()).take_while(|(a, b)| a == b);
            same.count().min(common)
        });
        &first.as_bytes()[first.len() - common..]
    });
    let mut bytes = Vec::new();
    put(&mut bytes, clock.len() as u64);
    put(&mut bytes, own as u64);
    put(&mut bytes, suffix.len() as u64);
    bytes.extend(suffix);
    let mut last: &[u8] = &[];
    for (node, count) in clock {
        let id = &node.as_bytes()[..node.len() - suffix.len()];
        let shared = last.iter().zip(id).take_while(|(a, b)| a == b).count();
        put(&mut bytes, shared as u64);
        put(&mut bytes, (id.len() - shared) as u64);
        bytes.extend(&id[shared..]);
        put(&mut bytes, *count);
        last = id;
    }
    let mut text = PREFIX.to_owned();
    URL_SAFE_NO_PAD.encode_string(bytes, &mut text);
    text
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// The token that `text` spells after the prefix, not yet validated. Ids that share much take little text, so their length
/// in all is limited as the text's is.
pub(super) fn decode(text: &str, max_len: usize, max_nodes: usize) -> Result<RevisionToken, TokenError> {
    let bytes = URL_SAFE_NO_PAD.decode(text);
    let bytes = bytes.map_err(|_| TokenError::malformed("what follows `iv1.` is not URL-safe base64"))?;
    let mut rest = Rest(&bytes);
    let count = rest.length()?;
    if count > max_nodes {
        return Err(TokenErrorKind::TooManyEntries { max: max_nodes }.into());
    }
    let own = rest.length()?;
    let suffix_len = rest.length()?;
    let suffix = rest.take(suffix_len)?;
    let mut vector_clock = BTreeMap::new();
    let (mut id, mut own_id, mut ids_len) = (Vec::new(), None, 0_usize);
    for index in 0..count {
        let shared = rest.length()?;
        if shared > id.len() {
            return Err(TokenError::malformed("an id shares more than the last one has"));
        }
        let len = rest.length()?;
        id.truncate(shared);
        id.extend(rest.take(len)?);
        ids_len += id.len() + suffix.len();
        if ids_len > max_len {
            let (len, max) = (ids_len, max_len);
            return Err(TokenErrorKind::TooLong { len, max }.into());
        }
        let node = String::from_utf8([&id, suffix].concat());
        let node = node.map_err(|_| TokenError::malformed("a node id is not text"))?;
        if index == own {
            own_id = Some(node.clone());
        }
        if vector_clock.insert(node, rest.number()?).is_some() {
            return Err(TokenError::malformed("a node is repeated"));
        }
    }
    if !rest.0.is_empty() {
        return Err(TokenError::malformed("something follows the last node"));
    }
    let node_id = own_id.ok_or_else(|| TokenError::malformed("its own node is not among the nodes"))?;
    Ok(RevisionToken {
        revision: vector_clock.get(&node_id).copied().unwrap_or_default(),
        node_id,
        vector_clock,
    })
}

/// The bytes that have not been read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], TokenError> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or_else(ends_early)?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u64, TokenError> {
        let mut number = 0_u64;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.take(1)?[0];
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                break;
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(TokenError::malformed("a number has more than 64 bits"))
    }

    /// A number of bytes or nodes. One that is too large for this machine is larger than any limit.
    fn length(&mut self) -> Result<usize, TokenError> {
        Ok(usize::try_from(self.number()?).unwrap_or(usize::MAX))
    }
}

fn ends_early() -> TokenError {
    TokenError::malformed("it ends early")
}
