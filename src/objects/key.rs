use std::borrow::Borrow;
use std::fmt;
use std::hash::Hasher;
use std::sync::Arc;

use siphasher::sip128::{Hasher128, SipHasher24};

use crate::protocol::Object;

/// The longest part of a key that is spelled out. A longer one is hashed.
const LONGEST_PART: usize = 80;

pub(super) const STORE: &str = "=store";
const EVERYTHING: &str = "=everything";
const ALL: &str = "=all";

/// Under which key a store remembers the tokens of an object.
///
/// A key is a text of at most 255 bytes, of letters, digits and `- _ / = .`, so that each store can hold it: `document.1`,
/// or `tenant.document.1`. Any other byte of a tenant, a type or an id is escaped as `=2E`. A part that is longer than 80
/// bytes stands there as a hash, `=hash-…`; objects whose hashes are equal share their tokens, which makes their checks
/// fresher than they need to be, and never staler.
///
/// Three keys stand for more than one object: `document.=all` for all documents, which a listing depends on; `=store` for
/// writes that can't be pinned to objects; and `=everything` for all that was ever recorded.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey(Arc<str>);

impl ObjectKey {
    /// The key of an object, or of all objects of a type.
    pub fn of(object: &Object<'_>) -> Self {
        let mut text = String::new();
        spell(object, &mut text);
        Self(text.into())
    }

    /// The key of writes that can't be pinned to objects. Every check depends on it.
    pub fn store() -> Self {
        Self(STORE.into())
    }

    /// The key of all that was ever recorded.
    pub fn everything() -> Self {
        Self(EVERYTHING.into())
    }

    /// A key that a store has returned. `None` if no key has this text.
    pub fn parse(text: &str) -> Option<Self> {
        let is_key_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-_/=.".contains(&byte);
        let is_key = text.len() <= 255 && text.bytes().all(is_key_byte) && !text.split('.').any(str::is_empty);
        is_key.then(|| Self(text.into()))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for ObjectKey {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Shows only its length: objects and subjects don't belong in logs.
impl fmt::Debug for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObjectKey({} bytes)", self.0.len())
    }
}

/// Adds the text of an object's key to `text`.
pub(super) fn spell(object: &Object<'_>, text: &mut String) {
    if !object.tenant.is_empty() {
        part(object.tenant, text);
        text.push('.');
    }
    part(object.kind, text);
    text.push('.');
    match object.id {
        Some(id) => part(id, text),
        None => text.push_str(ALL),
    }
}

fn part(bytes: &[u8], text: &mut String) {
    let start = text.len();
    if bytes.is_empty() {
        text.push('=');
    }
    for &byte in bytes.iter().take(LONGEST_PART + 1) {
        if byte.is_ascii_alphanumeric() || b"-_/".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let digit =
                |nibble: u8| char::from_digit(nibble.into(), 16).map_or('0', |digit| digit.to_ascii_uppercase());
            text.extend(['=', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    if text.len() - start > LONGEST_PART {
        text.truncate(start);
        let mut hasher = SipHasher24::new();
        hasher.write(bytes);
        let hash = hasher.finish128().as_u128();
        text.push_str(&format!("=hash-{hash:032x}"));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn key(kind: &str, id: &str) -> String {
        ObjectKey::of(&Object::new(kind.as_bytes(), id.as_bytes()))
            .as_str()
            .to_owned()
    }

    #[test]
    fn keys_are_readable_and_safe_in_every_store() {
        assert_eq!(key("document", "1"), "document.1");
        assert_eq!(key("org/document", "a.b*"), "org/document.a=2Eb=2A");
        assert_eq!(key("", ""), "=.=");
        let all = ObjectKey::of(&Object::all_of(b"document".as_slice()));
        assert_eq!(all.as_str(), "document.=all");
        let object = Object::new(b"document".as_slice(), b"1".as_slice()).in_tenant(b"t1");
        assert_eq!(ObjectKey::of(&object).as_str(), "t1.document.1");
    }

    #[test]
    fn the_hash_of_a_long_id_is_the_same_in_each_process() {
        assert_eq!(
            key("document", &"x".repeat(1024)),
            "document.=hash-25f38a75ae492cb181b8087816aa2233"
        );
    }

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..4),
            prop::collection::vec(prop::sample::select(b"=.2EalAL".to_vec()), 0..6),
            prop::collection::vec(any::<u8>(), 0..1200),
        ]
    }

    proptest! {
        #[test]
        fn different_objects_have_different_valid_keys(
            objects in prop::collection::hash_set((bytes(), bytes(), prop::option::of(bytes())), 1..20),
        ) {
            let keys: HashSet<_> = objects.iter().map(|(tenant, kind, id)| {
                let object = Object { tenant, kind, id: id.as_deref() };
                ObjectKey::of(&object)
            }).chain([ObjectKey::store(), ObjectKey::everything()]).collect();
            prop_assert_eq!(keys.len(), objects.len() + 2);
            for key in keys {
                prop_assert_eq!(ObjectKey::parse(key.as_str()), Some(key));
            }
        }
    }

    #[test]
    fn foreign_texts_are_no_keys() {
        for text in ["", ".", "a..b", "a b", "ä", &"a".repeat(256)] {
            assert_eq!(ObjectKey::parse(text), None, "{text}");
        }
    }
}
