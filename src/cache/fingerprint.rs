use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::Arc;

use siphasher::sip128::{Hasher128, SipHasher24};

use crate::cache::trace::{Named, Trace};
use crate::revision::Revision;

/// The identity of one question: a 128-bit keyed hash of everything that can change its answer.
///
/// The key is drawn at random by each [`Keyer`], because what is hashed is the attacker's to choose.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(u128);

impl Fingerprint {
    /// Where in its window's slack this question's answers end.
    pub(crate) fn jitter(self) -> u32 {
        self.0 as u32
    }

    pub(crate) fn low_half(self) -> u64 {
        self.0 as u64
    }

    pub(crate) fn high_half(self) -> u64 {
        (self.0 >> 64) as u64
    }

    /// For a part of a question that is hashed by itself first.
    pub(crate) fn bits(self) -> u128 {
        self.0
    }
}

/// Finds by keyed hashes, of which a half is as good as hashing them again.
pub(super) type Prehashed = BuildHasherDefault<Half>;

#[derive(Default)]
pub(super) struct Half(u64);

impl Hasher for Half {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, hash: u128) {
        self.0 = hash as u64;
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Makes fingerprints under one random key.
#[derive(Clone)]
pub struct Keyer(SipHasher24);

impl Keyer {
    /// A keyer with a key of its own.
    pub fn random() -> Self {
        Self(SipHasher24::new_with_keys(rand::random(), rand::random()))
    }

    /// Starts a question. `system` keeps the questions of different protocols apart.
    pub fn question(&self, system: &str) -> FingerprintBuilder {
        let hasher = self.0;
        FingerprintBuilder { hasher, trace: None }.text(Part::System, system)
    }

    /// Where the exact answer to `question` at `revision` lives.
    pub(crate) fn at(&self, question: Fingerprint, revision: &Revision) -> Fingerprint {
        let mut fingerprint = self.question("exact");
        fingerprint.hasher.write_u128(question.0);
        revision.hash(&mut fingerprint.hasher);
        fingerprint.finish()
    }

    /// One fingerprint for several questions in their order, and the message that asks them.
    pub(crate) fn all(&self, questions: &[Fingerprint], message: &[u8]) -> Fingerprint {
        let mut fingerprint = self.question("bulk");
        for question in questions {
            fingerprint.hasher.write_u128(question.0);
        }
        fingerprint.bytes(Part::Body, message).finish()
    }
}

impl Default for Keyer {
    fn default() -> Self {
        Self::random()
    }
}

/// Never shows the key.
impl fmt::Debug for Keyer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyer").finish_non_exhaustive()
    }
}

/// What a part of a question is. FingerprintBuilder of different kinds never run into one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[non_exhaustive]
pub enum Part {
    /// The protocol.
    System,
    /// The tenant or store, the endpoint, the authority.
    Store,
    /// The method and path.
    Method,
    /// The schema or model version.
    Schema,
    /// The resource.
    Resource,
    /// The permission or action.
    Permission,
    /// The subject and its relation.
    Subject,
    /// Context, contextual tuples, hints.
    Context,
    /// A query parameter's name and value.
    Query,
    /// A header's name and value.
    Header,
    /// The caller's credentials.
    Credential,
    /// The body, where all of it counts.
    Body,
    /// A part that is not there, which is not the same as an empty one.
    Absent,
}

/// A question in the making: typed parts, each preceded by its kind and length.
///
/// ```
/// use tower_zookie::cache::{Keyer, Part};
///
/// let keyer = Keyer::random();
/// let question = |resource, subject| {
///     keyer.question("example").text(Part::Resource, resource).text(Part::Subject, subject).finish()
/// };
/// assert_eq!(question("repo:rust", "user:u1"), question("repo:rust", "user:u1"));
/// assert_ne!(question("repo:rus", "tuser:u1"), question("repo:rust", "user:u1"));
/// ```
#[derive(Clone)]
#[must_use]
pub struct FingerprintBuilder {
    hasher: SipHasher24,
    /// Keeps the names of the parts, where an explanation wants them.
    trace: Option<Arc<Trace>>,
}

/// In the place of a part's number: its name follows.
const NAMED: u16 = u16::MAX;

impl FingerprintBuilder {
    /// Adds bytes.
    pub fn bytes(mut self, part: Part, bytes: &[u8]) -> Self {
        self.add(part, bytes);
        self
    }

    /// Adds text.
    pub fn text(self, part: Part, text: &str) -> Self {
        self.bytes(part, text.as_bytes())
    }

    /// Adds bytes in place.
    pub fn add(&mut self, part: Part, bytes: &[u8]) {
        self.add_nth(part, 0, bytes);
    }

    /// Adds a value under a name of its own, such as a header's. Kind, name and value are one unit: no other parts make
    /// the same.
    pub fn add_named(&mut self, part: Part, name: &[u8], value: &[u8]) {
        self.begin(part, NAMED, name.len());
        self.hasher.write(name);
        self.hasher.write_u64(value.len() as u64);
        self.hasher.write(value);
    }

    /// Adds the value of the `nth` of several things of one kind, such as headers in a list of names. The 0th are those
    /// without a number.
    pub(crate) fn add_nth(&mut self, part: Part, nth: u16, bytes: &[u8]) {
        debug_assert_ne!(nth, NAMED);
        self.begin(part, nth, bytes.len());
        self.hasher.write(bytes);
    }

    /// Adds pieces as the one text that they are with `&` between them.
    pub(crate) fn add_pairs<'a>(&mut self, part: Part, pieces: impl Iterator<Item = &'a str> + Clone) {
        let with_separators: usize = pieces.clone().map(|piece| piece.len() + 1).sum();
        let Some(len) = with_separators.checked_sub(1) else {
            return;
        };
        self.begin(part, 0, len);
        for (nth, piece) in pieces.enumerate() {
            self.hasher.write(if nth == 0 { b"" } else { b"&" });
            self.hasher.write(piece.as_bytes());
        }
    }

    fn begin(&mut self, part: Part, nth: u16, len: usize) {
        // Kind, number and length in one word: no slice is longer than 2^40 bytes.
        self.hasher
            .write_u64((part as u64) << 56 | u64::from(nth) << 40 | len as u64);
    }

    /// The same, with a trace of the names that are noted from here on, in this builder and its clones.
    pub(crate) fn traced(mut self, trace: &Arc<Trace>) -> Self {
        self.trace = Some(Arc::clone(trace));
        self
    }

    /// Notes the name of a part that is added.
    pub(crate) fn note(&self, named: Named, name: &str, value: &[u8]) {
        if let Some(trace) = &self.trace {
            trace.note(named, name, value);
        }
    }

    /// The same, with a value that is not at hand. It is made only if there is a trace.
    pub(crate) fn note_hashed(&self, named: Named, name: &str, value: &Self) {
        if let Some(trace) = &self.trace {
            trace.note(named, name, &value.finish().0.to_le_bytes());
        }
    }

    pub(crate) fn is_traced(&self) -> bool {
        self.trace.is_some()
    }

    /// The fingerprint.
    pub fn finish(&self) -> Fingerprint {
        let hash = self.hasher.finish128();
        Fingerprint(u128::from(hash.h1) << 64 | u128::from(hash.h2))
    }
}

impl fmt::Debug for FingerprintBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FingerprintBuilder").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::revision::{Counter, StoreId};

    fn parts(keyer: &Keyer, parts: &[(bool, Vec<u8>)]) -> Fingerprint {
        let kind = |flag| if flag { Part::Resource } else { Part::Subject };
        parts
            .iter()
            .fold(keyer.question("test"), |question, (flag, bytes)| {
                question.bytes(kind(*flag), bytes)
            })
            .finish()
    }

    proptest! {
        #[test]
        fn rule_10_different_parts_make_different_fingerprints(
            a in prop::collection::vec((any::<bool>(), prop::collection::vec(0u8..3, 0..4)), 0..4),
            b in prop::collection::vec((any::<bool>(), prop::collection::vec(0u8..3, 0..4)), 0..4),
        ) {
            let keyer = Keyer::random();
            prop_assert_eq!(parts(&keyer, &a) == parts(&keyer, &b), a == b);
        }
    }

    type Named = (bool, Option<Vec<u8>>, Vec<u8>);

    fn named(keyer: &Keyer, parts: &[Named]) -> Fingerprint {
        let mut question = keyer.question("test");
        for (flag, name, value) in parts {
            let kind = if *flag { Part::Header } else { Part::Credential };
            match name {
                Some(name) => question.add_named(kind, name, value),
                None => question.add(kind, value),
            }
        }
        question.finish()
    }

    fn some_named() -> impl Strategy<Value = Vec<Named>> {
        let text = || prop::collection::vec(0u8..2, 0..3);
        prop::collection::vec((any::<bool>(), prop::option::of(text()), text()), 0..3)
    }

    proptest! {
        #[test]
        fn rule_10_kind_name_and_value_count_as_one_part(a in some_named(), b in some_named()) {
            let keyer = Keyer::random();
            prop_assert_eq!(named(&keyer, &a) == named(&keyer, &b), a == b);
        }
    }

    #[test]
    fn rule_10_a_name_and_its_value_differ_from_two_parts() {
        let keyer = Keyer::random();
        let (kind, name, value) = (Part::Header, b"x-user".to_vec(), b"alice".to_vec());
        let together = named(&keyer, &[(true, Some(name.clone()), value.clone())]);
        assert_ne!(
            together,
            named(&keyer, &[(true, None, name.clone()), (false, None, value.clone())])
        );
        let mut run_together = keyer.question("test");
        run_together.add(kind, &[name, value].concat());
        assert_ne!(together, run_together.finish());
    }

    #[test]
    fn pairs_hash_as_their_joined_text() {
        let keyer = Keyer::random();
        let pairs = |pieces: &[&str]| {
            let mut parts = keyer.question("test");
            parts.add_pairs(Part::Query, pieces.iter().copied());
            parts.finish()
        };
        let text = |text| keyer.question("test").text(Part::Query, text).finish();
        assert_eq!(pairs(&["a=1", "b=22", ""]), text("a=1&b=22&"));
        assert_eq!(pairs(&[""]), text(""));
        assert_eq!(pairs(&[]), keyer.question("test").finish());
    }

    #[test]
    fn each_keyer_has_its_own_keys() {
        assert_ne!(
            Keyer::random().question("test").finish(),
            Keyer::random().question("test").finish()
        );
    }

    #[test]
    fn exact_answers_have_one_key_per_revision() {
        let keyer = Keyer::random();
        let question = keyer.question("test").finish();
        let at = |n| keyer.at(question, &Revision::new(StoreId::new(["s"]), Counter(n)));
        assert_eq!(at(1), at(1));
        assert_ne!(at(1), at(2));
        assert_ne!(at(1), question);
    }
}
