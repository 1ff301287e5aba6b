use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::{Mutex, PoisonError};

use siphasher::sip::SipHasher13;

use crate::cache::Named;

/// How many requests must differ in one thing only. Callers differ in their credentials, so there it takes more to see that
/// they are not just many.
const fn enough(named: Named) -> u32 {
    match named {
        Named::Credential | Named::Cookie => 64,
        _ => 8,
    }
}

/// How many requests are remembered before the memory is emptied.
const MOST: usize = 1024;

/// Finds what keeps equal questions apart: a header, a cookie, a credential or a member of the context that has another value
/// in each request.
#[derive(Debug, Default)]
pub(super) struct Changing(Mutex<Memory>);

#[derive(Debug, Default)]
struct Memory {
    /// By the hash of all other parts of a key: the last value of the one that is left out.
    others: HashMap<u64, u64>,
    values: HashSet<u64>,
    tallies: BTreeMap<(Named, String), Tally>,
}

#[derive(Debug, Default)]
struct Tally {
    /// How often a key differed from another one in this part alone.
    differed: u32,
    /// How often its value was new, and how often not.
    new: u32,
    known: u32,
}

impl Changing {
    /// Notes the parts of the key of a question that is new. Returns the part that changes with each request, if it is clear by
    /// now which one that is.
    pub(super) fn note(&self, parts: &[(Named, String, u64)]) -> Option<(Named, String)> {
        let mut memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if memory.values.len() > MOST * 8 || memory.others.len() > MOST * 8 {
            *memory = Memory::default();
        }
        let may_change = |named: &Named| {
            matches!(
                named,
                Named::Credential | Named::Header | Named::Cookie | Named::Context
            )
        };
        let mut found = None;
        for (index, (named, name, value)) in parts.iter().enumerate().filter(|(_, part)| may_change(&part.0)) {
            let mut others = parts.to_vec();
            others.remove(index);
            let others = hash(&(named, name, &others));
            let last = memory.others.insert(others, *value);
            let is_new = memory.values.insert(hash(&(named, name, value)));
            let tally = memory.tallies.entry((*named, name.clone())).or_default();
            tally.differed += u32::from(last.is_some_and(|last| last != *value));
            tally.new += u32::from(is_new);
            tally.known += u32::from(!is_new);
            if tally.differed >= enough(*named) && tally.known * 10 <= tally.new {
                *tally = Tally::default();
                found = Some((*named, name.clone()));
            }
        }
        found
    }
}

/// The values are hashed already, under a random key.
fn hash(of: &impl Hash) -> u64 {
    let mut hasher = SipHasher13::new();
    of.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(user: u64, document: u64, request: u64) -> Vec<(Named, String, u64)> {
        vec![
            (Named::Credential, "authorization".into(), user),
            (Named::Header, "x-request".into(), request),
            (Named::Member, "document".into(), document),
        ]
    }

    #[test]
    fn rule_17_the_part_that_changes_with_each_request_is_named() {
        let changing = Changing::default();
        let found: Vec<_> = (0..9).map(|n| changing.note(&parts(1, n % 2, n))).collect();
        assert!(found.iter().all(Option::is_none), "two documents: {found:?}");
        let found = changing.note(&parts(1, 0, 9));
        assert_eq!(found, Some((Named::Header, "x-request".into())));
    }

    #[test]
    fn values_that_come_again_do_not_change_with_each_request() {
        let changing = Changing::default();
        for n in 0..400 {
            assert_eq!(
                changing.note(&parts(n % 20, n / 20, 0)),
                None,
                "20 users, each with 20 documents"
            );
        }
    }

    #[test]
    fn rule_15_its_memory_is_bounded() {
        let changing = Changing::default();
        for n in 0..20_000 {
            changing.note(&parts(1, n, n));
        }
        let memory = changing.0.lock().unwrap();
        assert!(memory.others.len() <= MOST * 9 && memory.values.len() <= MOST * 9);
    }
}
