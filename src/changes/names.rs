use std::hash::Hasher;

use siphasher::sip::SipHasher13;

/// Which changes a stamp stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamped<'a> {
    pub(super) adds: bool,
    pub(super) kind: &'a str,
    pub(super) relation: &'a str,
    /// `None`: of all resources.
    pub(super) resource: Option<&'a str>,
    pub(super) subject: Word<'a>,
}

/// A subject, as far as stamps tell subjects apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word<'a> {
    Any,
    /// All usersets are one word: each may lead on to any subject.
    Userset,
    /// An object, or with the id `*` all objects of a type.
    Object {
        kind: &'a str,
        id: &'a str,
    },
}

/// Turns names into places in a table of stamps, under a random key: the names are an attacker's to choose.
#[derive(Clone, Debug)]
pub(super) struct Names(SipHasher13);

impl Names {
    pub(super) fn random() -> Self {
        Self(SipHasher13::new_with_keys(rand::random(), rand::random()))
    }

    pub(super) fn hash(&self, stamped: &Stamped<'_>) -> u64 {
        let mut hasher = self.0;
        let mut text = |text: &str| {
            hasher.write_u64(text.len() as u64);
            hasher.write(text.as_bytes());
        };
        text(stamped.kind);
        text(stamped.relation);
        if let Some(resource) = stamped.resource {
            text(resource);
        }
        if let Word::Object { kind, id } = stamped.subject {
            text(kind);
            text(id);
        }
        let word = match stamped.subject {
            Word::Any => 0,
            Word::Userset => 1,
            Word::Object { .. } => 2,
        };
        hasher.write_u8(word << 2 | u8::from(stamped.resource.is_some()) << 1 | u8::from(stamped.adds));
        hasher.finish()
    }
}
