use std::collections::{BTreeMap, HashSet};

use proptest::prelude::*;

use crate::changes::names::{Names, Stamped, Word};
use crate::changes::stamps::Stamps;

const TEXTS: [&str; 4] = ["a", "b", "ab", ""];

/// All changes that these texts can name.
fn all() -> Vec<Stamped<'static>> {
    let objects = TEXTS
        .iter()
        .flat_map(|kind| TEXTS.iter().map(|id| Word::Object { kind, id }));
    let subjects: Vec<_> = objects.chain([Word::Any, Word::Userset]).collect();
    let resources: Vec<_> = TEXTS.iter().copied().map(Some).chain([None]).collect();
    let mut all = Vec::new();
    for adds in [true, false] {
        for kind in TEXTS {
            for relation in TEXTS {
                for &resource in &resources {
                    all.extend(subjects.iter().map(|&subject| Stamped {
                        adds,
                        kind,
                        relation,
                        resource,
                        subject,
                    }));
                }
            }
        }
    }
    all
}

#[test]
fn no_two_names_are_the_same() {
    let names = Names::random();
    let all = all();
    let different: HashSet<u64> = all.iter().map(|stamped| names.hash(stamped)).collect();
    assert_eq!(different.len(), all.len());
}

proptest! {
    #[test]
    fn a_place_has_the_newest_number_of_what_meets_there(
        bytes in prop::sample::select(vec![8_u64, 64, 1000, 1 << 20]),
        stamped in prop::collection::vec(any::<prop::sample::Index>(), 1..50),
    ) {
        let (stamps, all) = (Stamps::new(bytes), all());
        let mut expected = BTreeMap::new();
        for (index, number) in stamped.iter().zip(1..) {
            let stamped = index.get(&all);
            stamps.stamp(stamped, number);
            expected.insert(stamps.slot(stamped), number);
        }
        for stamped in &all {
            let slot = stamps.slot(stamped);
            prop_assert_eq!(stamps.at(slot), expected.get(&slot).copied().unwrap_or(0));
        }
    }
}
