use std::cmp::Ordering;

use crate::revision::Point;

/// A PostgreSQL snapshot: which transactions are visible.
///
/// A snapshot sees a transaction if its id is below `xmax` and it was not in progress. One snapshot is at or after
/// another if it sees every transaction that the other sees, so the order is partial.
///
/// The same visibility has many spellings: `3:3` and `3:6:3,4,5` see the same. This type has the shortest spelling, so
/// that equal visibility means `==` and an equal hash.
///
/// ```
/// use tower_zookie::revision::PostgresSnapshot;
///
/// let long = PostgresSnapshot::new(3, 6, [5, 3, 4])?;
/// assert_eq!(long, PostgresSnapshot::new(3, 3, [])?);
///
/// let even = PostgresSnapshot::new(10, 14, [10, 12])?;
/// let odd = PostgresSnapshot::new(10, 14, [11, 13])?;
/// assert_eq!(even.partial_cmp(&odd), None);
/// # Ok::<(), tower_zookie::revision::InvalidSnapshot>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PostgresSnapshot {
    /// The last transaction seen is `xmax - 1`: what ends in transactions in progress is cut off.
    xmax: u64,
    /// Ascending, without duplicates, all below `xmax - 1`.
    in_progress: Box<[u64]>,
}

/// Why three numbers are not a [`PostgresSnapshot`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSnapshot {
    /// `xmin` is above `xmax`.
    #[error("the snapshot's xmin is above its xmax; use the snapshot as the database returned it")]
    XminAboveXmax,
    /// A transaction in progress lies outside of `xmin <= id < xmax`.
    #[error("a transaction in progress lies outside of the snapshot; use the snapshot as the database returned it")]
    OutOfRange,
}

impl PostgresSnapshot {
    /// The snapshot `xmin:xmax:in_progress`, as `pg_current_snapshot()` prints it.
    ///
    /// `in_progress` may come in any order and repeat itself. Work and memory are linear in it (sorting aside), never
    /// in the distance between `xmin` and `xmax`; the caller must limit the length of untrusted lists.
    ///
    /// # Errors
    ///
    /// [`InvalidSnapshot`] if `xmin > xmax`, or if not all of `in_progress` lies in `xmin..xmax`.
    pub fn new(xmin: u64, xmax: u64, in_progress: impl IntoIterator<Item = u64>) -> Result<Self, InvalidSnapshot> {
        if xmin > xmax {
            return Err(InvalidSnapshot::XminAboveXmax);
        }
        let mut ids: Vec<u64> = in_progress.into_iter().collect();
        if ids.iter().any(|id| !(xmin..xmax).contains(id)) {
            return Err(InvalidSnapshot::OutOfRange);
        }
        ids.sort_unstable();
        ids.dedup();
        let mut xmax = xmax;
        while ids.pop_if(|last| *last + 1 == xmax).is_some() {
            xmax -= 1;
        }
        Ok(Self {
            xmax,
            in_progress: ids.into(),
        })
    }

    /// The lowest transaction id that is not visible: all below it are.
    pub fn xmin(&self) -> u64 {
        self.in_progress.first().copied().unwrap_or(self.xmax)
    }

    /// One past the highest transaction id that is visible.
    pub fn xmax(&self) -> u64 {
        self.xmax
    }

    /// The transactions below [`xmax`](Self::xmax) that are not visible, ascending.
    pub fn in_progress(&self) -> &[u64] {
        &self.in_progress
    }

    /// Whether the transaction `id` is visible.
    pub fn sees(&self, id: u64) -> bool {
        id < self.xmax && self.in_progress.binary_search(&id).is_err()
    }

    fn sees_all_of(&self, other: &Self) -> bool {
        // `other` sees the transaction `other.xmax - 1`, so no id between the two ends has to be looked at.
        let unseen_here = self.in_progress.iter().take_while(|id| **id < other.xmax);
        other.xmax <= self.xmax && contains_all(&other.in_progress, unseen_here)
    }

    /// How many transactions are visible.
    fn seen(&self) -> u64 {
        self.xmax - self.in_progress.len() as u64
    }
}

/// Whether the ascending `haystack` holds all of the ascending `needles`.
fn contains_all<'a>(haystack: &[u64], mut needles: impl Iterator<Item = &'a u64>) -> bool {
    let mut hay = haystack.iter();
    needles.all(|needle| hay.by_ref().find(|id| *id >= needle) == Some(needle))
}

impl PartialOrd for PostgresSnapshot {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self.sees_all_of(other), other.sees_all_of(self)) {
            (true, true) => Some(Ordering::Equal),
            (true, false) => Some(Ordering::Greater),
            (false, true) => Some(Ordering::Less),
            (false, false) => None,
        }
    }
}

impl Point for PostgresSnapshot {
    /// The snapshot that sees what either sees.
    fn join(&self, other: &Self) -> Option<Self> {
        let (longer, shorter) = if self.xmax >= other.xmax {
            (self, other)
        } else {
            (other, self)
        };
        Some(Self {
            xmax: longer.xmax,
            in_progress: longer
                .in_progress
                .iter()
                .copied()
                .filter(|id| !shorter.sees(*id))
                .collect(),
        })
    }

    /// How many more transactions are visible.
    fn lead(&self, behind: &Self) -> Option<u64> {
        self.sees_all_of(behind).then(|| self.seen() - behind.seen())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::revision::laws;

    const IDS: u64 = 12;

    fn snapshot(xmin: u64, xmax: u64, in_progress: &[u64]) -> PostgresSnapshot {
        PostgresSnapshot::new(xmin, xmax, in_progress.iter().copied()).unwrap()
    }

    /// The rows of SpiceDB's own comparison test, and our own at the edges.
    #[test]
    fn compares_by_visibility() {
        use Ordering::{Equal, Greater, Less};
        let far = 1 << 63;
        for (a, b, expected) in [
            (snapshot(0, 4, &[2]), snapshot(0, 4, &[2, 3]), Some(Greater)),
            (snapshot(101, 101, &[]), snapshot(100, 104, &[100, 101]), None),
            (snapshot(10, 14, &[10, 12]), snapshot(10, 14, &[11, 13]), None),
            (snapshot(3, 3, &[]), snapshot(3, 6, &[3, 4, 5]), Some(Equal)),
            (snapshot(1, 1, &[]), snapshot(1, 5, &[1, 2, 3, 4]), Some(Equal)),
            (snapshot(0, 4, &[2]), snapshot(far, far, &[]), Some(Less)),
            (snapshot(0, 0, &[]), snapshot(0, u64::MAX, &[]), Some(Less)),
            (
                snapshot(0, u64::MAX, &[0]),
                snapshot(u64::MAX, u64::MAX, &[]),
                Some(Less),
            ),
        ] {
            assert_eq!(a.partial_cmp(&b), expected, "{a:?} {b:?}");
            assert_eq!(b.partial_cmp(&a), expected.map(Ordering::reverse), "{b:?} {a:?}");
            assert_eq!(a == b, expected == Some(Equal));
        }
    }

    #[test]
    fn keeps_the_shortest_spelling() {
        let it = snapshot(0, 9, &[8, 3, 7, 3, 5]);
        assert_eq!((it.xmin(), it.xmax(), it.in_progress()), (3, 7, [3, 5].as_slice()));
        assert_eq!(it, snapshot(3, 7, &[5, 3]));
        assert_eq!(snapshot(0, 1, &[0]), snapshot(0, 0, &[]));
        assert_eq!(snapshot(0, 3, &[]), snapshot(3, 3, &[]));
    }

    #[test]
    fn rejects_malformed_snapshots() {
        assert_eq!(
            PostgresSnapshot::new(4, 3, []).unwrap_err(),
            InvalidSnapshot::XminAboveXmax
        );
        for id in [2, 6, u64::MAX] {
            assert_eq!(
                PostgresSnapshot::new(3, 6, [4, id]).unwrap_err(),
                InvalidSnapshot::OutOfRange
            );
        }
    }

    #[test]
    fn counts_the_transactions_between() {
        assert_eq!(snapshot(0, 4, &[2]).lead(&snapshot(0, 4, &[2, 3])), Some(1));
        assert_eq!(snapshot(0, u64::MAX, &[]).lead(&snapshot(0, 0, &[])), Some(u64::MAX));
        assert_eq!(snapshot(0, 4, &[2, 3]).lead(&snapshot(0, 4, &[2])), None);
        assert_eq!(snapshot(10, 14, &[10]).lead(&snapshot(10, 14, &[11])), None);
    }

    /// A snapshot, and naively what it sees.
    fn arbitrary() -> impl Strategy<Value = (PostgresSnapshot, BTreeSet<u64>)> {
        (0..=IDS, 0..=IDS, proptest::collection::vec(0..IDS, 0..8)).prop_map(|(a, b, ids)| {
            let (xmin, xmax) = (a.min(b), a.max(b));
            let ids: Vec<u64> = ids.into_iter().filter(|id| (xmin..xmax).contains(id)).collect();
            let seen = (0..xmax).filter(|id| *id < xmin || !ids.contains(id)).collect();
            (snapshot(xmin, xmax, &ids), seen)
        })
    }

    proptest! {
        #[test]
        fn agrees_with_sets_of_visible_transactions((a, sees_a) in arbitrary(), (b, sees_b) in arbitrary()) {
            prop_assert_eq!(a == b, sees_a == sees_b);
            prop_assert_eq!(a >= b, sees_a.is_superset(&sees_b));
            prop_assert_eq!(a <= b, sees_a.is_subset(&sees_b));
            let joined = a.join(&b).unwrap();
            for id in 0..=IDS {
                prop_assert_eq!(a.sees(id), sees_a.contains(&id));
                prop_assert_eq!(joined.sees(id), sees_a.contains(&id) || sees_b.contains(&id));
            }
            let ahead = sees_a.is_superset(&sees_b).then(|| (sees_a.len() - sees_b.len()) as u64);
            prop_assert_eq!(a.lead(&b), ahead);
        }

        #[test]
        fn is_a_lattice((a, _) in arbitrary(), (b, _) in arbitrary(), (c, _) in arbitrary()) {
            laws::lattice(&a, &b, &c)?;
        }

        #[test]
        fn never_panics(xmin: u64, xmax: u64, ids: Vec<u64>, other: u64) {
            if let Ok(it) = PostgresSnapshot::new(xmin, xmax, ids) {
                let other = snapshot(other, other, &[]);
                prop_assert!(it.join(&other).unwrap() >= it);
            }
        }
    }
}
