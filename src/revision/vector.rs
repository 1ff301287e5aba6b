use std::cmp::Ordering;
use std::iter::Peekable;
use std::sync::Arc;

use crate::revision::Point;

/// A vector clock: how far each node's history is known.
///
/// One clock is at or after another if every node's entry is; a missing entry is 0. Entries of 0 are dropped, so that
/// clocks with the same meaning are equal and have the same hash.
///
/// ```
/// use tower_zookie::revision::VectorClock;
///
/// let here = VectorClock::from_iter([("node1", 2), ("node2", 1)]);
/// let there = VectorClock::from_iter([("node1", 1), ("node2", 2)]);
/// assert!(here > VectorClock::from_iter([("node1", 1)]));
/// assert_eq!(here.partial_cmp(&there), None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct VectorClock {
    /// Ascending by node. No node is repeated and no entry is 0.
    entries: Box<[(Arc<str>, u64)]>,
}

impl VectorClock {
    /// The entry of `node`; 0 if the node has no entry.
    pub fn get(&self, node: &str) -> u64 {
        self.entries
            .binary_search_by(|(name, _)| name.as_ref().cmp(node))
            .map_or(0, |found| self.entries[found].1)
    }

    /// The entries that are not 0, ascending by node.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, u64)> {
        self.entries.iter().map(|(node, count)| (node.as_ref(), *count))
    }

    /// How many nodes have an entry that is not 0.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether the clock is at its very beginning, at or before every other.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// If a node is repeated, its greatest entry counts.
impl<K: Into<Arc<str>>> FromIterator<(K, u64)> for VectorClock {
    fn from_iter<I: IntoIterator<Item = (K, u64)>>(entries: I) -> Self {
        let mut entries: Vec<(Arc<str>, u64)> = entries
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(node, count)| (node.into(), count))
            .collect();
        entries.sort_unstable_by(|(a, m), (b, n)| a.cmp(b).then(n.cmp(m)));
        entries.dedup_by(|(later, _), (earlier, _)| later == earlier);
        Self {
            entries: entries.into(),
        }
    }
}

impl PartialOrd for VectorClock {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let of_the_same_nodes = self.len() == other.len() && self.iter().zip(other.iter()).all(|(a, b)| a.0 == b.0);
        if of_the_same_nodes {
            // The usual case: tokens of one cluster.
            let counts = self.iter().zip(other.iter()).map(|((_, a), (_, b))| a.cmp(&b));
            return together(counts);
        }
        compare(self.iter(), other.iter())
    }
}

impl Point for VectorClock {
    /// The greater of both entries, node by node.
    fn join(&self, other: &Self) -> Option<Self> {
        let mut joined = Vec::with_capacity(self.len().max(other.len()));
        let (mut ours, mut theirs) = (self.entries.iter().peekable(), other.entries.iter().peekable());
        while let Some(next) = pair(&mut ours, &mut theirs, |a, b| a.0.cmp(&b.0)) {
            joined.push(match next {
                (Some(a), Some(b)) if b.1 > a.1 => b.clone(),
                (Some(entry), _) | (None, Some(entry)) => entry.clone(),
                (None, None) => break,
            });
        }
        Some(Self { entries: joined.into() })
    }

    /// The sum of all entries' differences, at most [`u64::MAX`].
    fn lead(&self, behind: &Self) -> Option<u64> {
        let total = |clock: &Self| clock.iter().map(|(_, count)| u128::from(count)).sum::<u128>();
        (self >= behind).then(|| u64::try_from(total(self) - total(behind)).unwrap_or(u64::MAX))
    }
}

/// How two clocks compare, whose entries come ascending by node; a missing entry is 0.
pub(crate) fn compare<'a>(
    ours: impl Iterator<Item = (&'a str, u64)>,
    theirs: impl Iterator<Item = (&'a str, u64)>,
) -> Option<Ordering> {
    let (mut ours, mut theirs) = (ours.peekable(), theirs.peekable());
    together(std::iter::from_fn(|| {
        let (a, b) = pair(&mut ours, &mut theirs, |a, b| a.0.cmp(b.0))?;
        Some(a.map_or(0, |(_, count)| count).cmp(&b.map_or(0, |(_, count)| count)))
    }))
}

/// How two clocks compare, from the comparisons of their entries.
fn together(mut orders: impl Iterator<Item = Ordering>) -> Option<Ordering> {
    orders.try_fold(Ordering::Equal, |so_far, here| match (so_far, here) {
        (order, Ordering::Equal) | (Ordering::Equal, order) => Some(order),
        _ if so_far == here => Some(here),
        _ => None,
    })
}

/// The entries of two sequences at one key.
type Step<A, B> = (Option<A>, Option<B>);

/// The next of two ascending sequences: from both where they are at the same key, else from the one that is behind.
fn pair<I: Iterator, J: Iterator>(
    ours: &mut Peekable<I>,
    theirs: &mut Peekable<J>,
    order: impl Fn(&I::Item, &J::Item) -> Ordering,
) -> Option<Step<I::Item, J::Item>> {
    match (ours.peek(), theirs.peek()) {
        (None, None) => None,
        (Some(_), None) => Some((ours.next(), None)),
        (None, Some(_)) => Some((None, theirs.next())),
        (Some(a), Some(b)) => Some(match order(a, b) {
            Ordering::Less => (ours.next(), None),
            Ordering::Equal => (ours.next(), theirs.next()),
            Ordering::Greater => (None, theirs.next()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::revision::laws;

    const NODES: [&str; 4] = ["a", "b", "c", "d"];

    fn clock(entries: &[(&str, u64)]) -> VectorClock {
        entries.iter().copied().collect()
    }

    #[test]
    fn a_missing_entry_is_zero() {
        let one = clock(&[("a", 1)]);
        assert_eq!(clock(&[("b", 0), ("a", 1)]), one);
        assert!(clock(&[("b", 1), ("a", 1)]) > one);
        assert_eq!(clock(&[("b", 1)]).partial_cmp(&one), None);
        assert!(clock(&[]) < one);
        assert_eq!((one.get("a"), one.get("b")), (1, 0));
        assert!(clock(&[("a", 0)]).is_empty());
    }

    #[test]
    fn the_greatest_entry_of_a_repeated_node_counts() {
        assert_eq!(
            clock(&[("a", 1), ("b", 2), ("a", 3), ("a", 2)]),
            clock(&[("b", 2), ("a", 3)])
        );
    }

    #[test]
    fn the_lead_is_the_sum_of_all_differences() {
        let ahead = clock(&[("a", 5), ("b", 2)]);
        assert_eq!(ahead.lead(&clock(&[("a", 3)])), Some(4));
        assert_eq!(clock(&[("a", 3)]).lead(&ahead), None);
        assert_eq!(clock(&[("a", u64::MAX), ("b", 9)]).lead(&clock(&[])), Some(u64::MAX));
    }

    fn arbitrary() -> impl Strategy<Value = BTreeMap<&'static str, u64>> {
        proptest::collection::btree_map(proptest::sample::select(&NODES[..]), 0_u64..4, 0..5)
    }

    proptest! {
        #[test]
        fn agrees_with_maps(a in arbitrary(), b in arbitrary()) {
            let entry = |map: &BTreeMap<&str, u64>, node: &str| map.get(node).copied().unwrap_or(0);
            let (x, y) = (VectorClock::from_iter(a.clone()), VectorClock::from_iter(b.clone()));
            prop_assert_eq!(x >= y, NODES.iter().all(|node| entry(&a, node) >= entry(&b, node)));
            prop_assert_eq!(x == y, NODES.iter().all(|node| entry(&a, node) == entry(&b, node)));
            let joined = x.join(&y).unwrap();
            for node in &NODES {
                prop_assert_eq!(x.get(node), entry(&a, node));
                prop_assert_eq!(joined.get(node), entry(&a, node).max(entry(&b, node)));
            }
            prop_assert!(joined.iter().map(|(node, _)| node).is_sorted());
        }

        #[test]
        fn is_a_lattice(a in arbitrary(), b in arbitrary(), c in arbitrary()) {
            laws::lattice(&VectorClock::from_iter(a), &VectorClock::from_iter(b), &VectorClock::from_iter(c))?;
        }
    }
}
