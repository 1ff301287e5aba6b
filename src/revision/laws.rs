//! The laws of every kind of revision, for the property tests.

use std::cmp::Ordering;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::revision::Point;

fn hash(point: &impl Point) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(point)
}

/// Reflexive, antisymmetric, transitive; `==`, the hash and the lead agree with the order.
pub(super) fn order<P: Point>(a: &P, b: &P, c: &P) -> Result<(), TestCaseError> {
    prop_assert_eq!(a.partial_cmp(a), Some(Ordering::Equal));
    prop_assert_eq!(a.partial_cmp(b), b.partial_cmp(a).map(Ordering::reverse));
    prop_assert_eq!(a == b, a.partial_cmp(b) == Some(Ordering::Equal));
    prop_assert!(a != b || hash(a) == hash(b));
    prop_assert!(!(a <= b && b <= c) || a <= c);
    prop_assert!(a.lead(b).is_none() || a >= b);
    prop_assert!(a.lead(a).is_none_or(|lead| lead == 0));
    Ok(())
}

/// [`order`], and a join that is the least upper bound.
pub(super) fn lattice<P: Point>(a: &P, b: &P, c: &P) -> Result<(), TestCaseError> {
    order(a, b, c)?;
    let join = |a: &P, b: &P| a.join(b).ok_or_else(|| TestCaseError::fail("no join"));
    let joined = join(a, b)?;
    prop_assert!(joined >= *a && joined >= *b);
    prop_assert!(!(c >= a && c >= b) || *c >= joined);
    prop_assert_eq!(&joined, &join(b, a)?);
    prop_assert_eq!(hash(&joined), hash(&join(b, a)?));
    prop_assert_eq!(&join(a, a)?, a);
    prop_assert_eq!(join(&joined, c)?, join(a, &join(b, c)?)?);
    prop_assert_eq!(a.lead(b).is_some(), a >= b);
    Ok(())
}
