use std::cmp::Ordering;

use crate::revision::Point;

/// The content of a snap token of Permify on PostgreSQL: which transactions a read at it may see, and which had ended.
///
/// Permify spells it `xid:xmin:xmax:in_progress`. A read sees the write itself (`xid`), and of all others what is
/// committed by then, is below `xmax` and not in the list. `xmin` is the oldest transaction that was in progress when the
/// snapshot was taken: all below it had ended.
///
/// # Order
///
/// Permify compares tokens by `xid` alone, and that is wrong: a transaction gets its number when it begins, and a higher
/// number can commit first. What the snapshot sees is no help either. The database took it before it gave the write its
/// number, and Permify then raises `xmax` to one past that number. So what began in between looks visible, though it had
/// not ended: a read at one and the same token sees more once it has.
///
/// What can be relied on is what had ended. A token is at or after another one if they are equal, or if all
/// transactions that a read at the other may ever see had ended when the store returned this token. All transactions
/// below its `xmin` had ended, and, if only the write itself was in progress (`7:7:8:7`), the write too: Permify
/// returns the token of a write only after its commit.
///
/// ```
/// use tower_zookie::revision::{Point, PermifySnapshot};
///
/// // Two of eight writes that were made at once.
/// let lower = PermifySnapshot::new(1280, 1278, 1281, [1280])?;
/// let higher = PermifySnapshot::new(1282, 1278, 1283, [1282])?;
/// // By number the higher one is after the lower one, and its snapshot seems to see it. But 1280 committed later: an
/// // answer read at 1282 in the meantime lacks it.
/// assert_eq!(higher.partial_cmp(&lower), None);
/// assert!(!higher.settles(&higher));
///
/// // When this one was taken, all below 1284 had ended.
/// let after = PermifySnapshot::new(1284, 1284, 1285, [1284])?;
/// assert!(after > lower && after > higher);
/// assert!(after.settles(&higher) && after.settles(&after));
/// # Ok::<(), tower_zookie::revision::InvalidSnapToken>(())
/// ```
///
/// Tokens from before Permify wrote snapshots into them have a number only, and are equal to themselves at most.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PermifySnapshot {
    xid: u64,
    snapshot: Option<Snapshot>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Snapshot {
    xmin: u64,
    xmax: u64,
    /// Ascending, without duplicates, and always with the write itself, as Permify has it.
    in_progress: Box<[u64]>,
}

/// Why numbers are not a [`PermifySnapshot`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSnapToken {
    /// Not `xmin <= xid < xmax`.
    #[error("the write's transaction lies outside of its own snapshot; use the token as Permify returned it")]
    WriteOutside,
    /// A transaction in progress is not below `xmax`.
    #[error("a transaction in progress is not below the snapshot's xmax; use the token as Permify returned it")]
    OutOfRange,
}

impl PermifySnapshot {
    /// The snapshot `xid:xmin:xmax:in_progress` of the write `xid`.
    ///
    /// `in_progress` may come in any order, repeat itself, and name the write or not: a read at its token sees the
    /// write in any case. PostgreSQL names no transaction below `xmin`, but Permify would accept one: it counts as in
    /// progress. Work and memory are linear in the list (except sorting); the caller must limit the length of untrusted
    /// lists.
    ///
    /// # Errors
    ///
    /// [`InvalidSnapToken`] if not `xmin <= xid < xmax`, or if not all of `in_progress` lies below `xmax`.
    pub fn new(
        xid: u64,
        xmin: u64,
        xmax: u64,
        in_progress: impl IntoIterator<Item = u64>,
    ) -> Result<Self, InvalidSnapToken> {
        if !(xmin..xmax).contains(&xid) {
            return Err(InvalidSnapToken::WriteOutside);
        }
        let mut ids: Vec<u64> = in_progress.into_iter().collect();
        if ids.iter().any(|id| *id >= xmax) {
            return Err(InvalidSnapToken::OutOfRange);
        }
        ids.push(xid);
        ids.sort_unstable();
        ids.dedup();
        let snapshot = Snapshot {
            xmin,
            xmax,
            in_progress: ids.into(),
        };
        Ok(Self {
            xid,
            snapshot: Some(snapshot),
        })
    }

    /// A token from before Permify wrote snapshots into them. It neither covers others nor is covered by them.
    pub fn legacy(xid: u64) -> Self {
        Self { xid, snapshot: None }
    }

    /// The transaction of the token's write.
    pub fn xid(&self) -> u64 {
        self.xid
    }

    /// The oldest transaction that was in progress; `None` if the token is a legacy one.
    pub fn xmin(&self) -> Option<u64> {
        Some(self.snapshot.as_ref()?.xmin)
    }

    /// One past the highest transaction that a read may see; `None` if the token is a legacy one.
    pub fn xmax(&self) -> Option<u64> {
        Some(self.snapshot.as_ref()?.xmax)
    }

    /// The transactions that were in progress, ascending, the write itself among them. Permify leaves out those that
    /// began after the snapshot and before the write; and a legacy token names no transaction.
    pub fn in_progress(&self) -> &[u64] {
        self.snapshot.as_ref().map_or(&[], |snapshot| &snapshot.in_progress)
    }
}

impl Snapshot {
    /// All transactions below this had ended when the store returned the token.
    fn ended(&self) -> u64 {
        let oldest = self.in_progress.first().map_or(self.xmin, |id| self.xmin.min(*id));
        let alone = self.xmax - oldest == 1;
        if alone { self.xmax } else { oldest }
    }

    /// How many transactions a read may see, the write itself among them.
    fn seen(&self) -> u64 {
        self.xmax - (self.in_progress.len() as u64 - 1)
    }
}

impl PartialOrd for PermifySnapshot {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        if self == other {
            Some(Ordering::Equal)
        } else if self.settles(other) {
            Some(Ordering::Greater)
        } else if other.settles(self) {
            Some(Ordering::Less)
        } else {
            None
        }
    }
}

impl Point for PermifySnapshot {
    /// The later one. There is no token that sees just what either sees.
    fn join(&self, other: &Self) -> Option<Self> {
        match self.partial_cmp(other)? {
            Ordering::Less => Some(other.clone()),
            Ordering::Equal | Ordering::Greater => Some(self.clone()),
        }
    }

    /// A write made while others were in progress does not settle its own token.
    fn settles(&self, earlier: &Self) -> bool {
        match (&self.snapshot, &earlier.snapshot) {
            (Some(named), Some(earlier)) => earlier.xmax <= named.ended(),
            _ => false,
        }
    }

    /// How many more transactions a read may see.
    fn lead(&self, behind: &Self) -> Option<u64> {
        let (ahead, behind) = (self >= behind).then_some((self.snapshot.as_ref()?, behind.snapshot.as_ref()?))?;
        Some(ahead.seen() - behind.seen())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::revision::laws;

    fn snapshot(xid: u64, xmin: u64, xmax: u64, in_progress: &[u64]) -> PermifySnapshot {
        PermifySnapshot::new(xid, xmin, xmax, in_progress.iter().copied()).unwrap()
    }

    fn lone(xid: u64) -> PermifySnapshot {
        snapshot(xid, xid, xid + 1, &[])
    }

    #[test]
    fn compares_by_the_transactions_that_had_ended() {
        use Ordering::{Equal, Greater, Less};
        let end = u64::MAX;
        for (a, b, expected) in [
            // Fact sheet: a snapshot that names the other write, taken after it and before its end.
            (snapshot(101, 100, 102, &[100, 101]), lone(100), None),
            // Recorded from concurrent writes, which do not name each other.
            (snapshot(1282, 1278, 1283, &[]), snapshot(1280, 1278, 1281, &[]), None),
            (snapshot(1283, 1279, 1284, &[]), snapshot(1279, 1278, 1280, &[]), None),
            (snapshot(1283, 1279, 1284, &[]), lone(1278), Some(Greater)),
            (lone(1284), snapshot(1283, 1279, 1284, &[]), Some(Greater)),
            // One transaction, returned before and after all transactions below it had ended.
            (lone(1280), snapshot(1280, 1278, 1281, &[]), Some(Greater)),
            (snapshot(1280, 1279, 1281, &[]), snapshot(1280, 1278, 1281, &[]), None),
            (snapshot(12, 10, 13, &[10]), snapshot(12, 10, 13, &[11]), None),
            // Made by hand: they see more than what is up to the write.
            (lone(50), snapshot(4, 4, 100, &[4]), None),
            (snapshot(12, 12, 200, &[12, 150]), snapshot(4, 4, 100, &[4]), None),
            (lone(99), snapshot(4, 4, 100, &[4]), Some(Greater)),
            (snapshot(4, 4, 100, &[4]), lone(4), None),
            // Fact sheet: it names what is below its xmin.
            (snapshot(43242, 300, 43243, &[250, 280]), lone(249), Some(Greater)),
            (snapshot(43242, 300, 43243, &[250, 280]), lone(250), None),
            (lone(7), snapshot(7, 7, 8, &[6]), Some(Greater)),
            (lone(0), lone(end - 1), Some(Less)),
            (lone(7), snapshot(7, 7, 8, &[7, 7]), Some(Equal)),
            (PermifySnapshot::legacy(7), PermifySnapshot::legacy(7), Some(Equal)),
            (PermifySnapshot::legacy(7), PermifySnapshot::legacy(8), None),
            (PermifySnapshot::legacy(7), lone(7), None),
            (PermifySnapshot::legacy(0), lone(9), None),
            (PermifySnapshot::legacy(end), lone(9), None),
        ] {
            assert_eq!(a.partial_cmp(&b), expected, "{a:?} {b:?}");
            assert_eq!(b.partial_cmp(&a), expected.map(Ordering::reverse), "{b:?} {a:?}");
            assert_eq!(a == b, expected == Some(Equal));
        }
    }

    #[test]
    fn a_token_is_settled_when_all_it_may_see_has_ended() {
        let among_others = snapshot(1280, 1278, 1281, &[]);
        for named in [lone(1280), lone(1281), snapshot(1290, 1281, 1291, &[])] {
            assert!(named.settles(&among_others), "{named:?}");
        }
        for named in [
            among_others.clone(),
            lone(1279),
            snapshot(1290, 1280, 1291, &[]),
            PermifySnapshot::legacy(1280),
            PermifySnapshot::legacy(u64::MAX),
        ] {
            assert!(!named.settles(&among_others), "{named:?}");
        }
        assert!(lone(7).settles(&lone(7)));
        assert!(!lone(7).settles(&PermifySnapshot::legacy(7)));
        assert!(!PermifySnapshot::legacy(7).settles(&PermifySnapshot::legacy(7)));
    }

    #[test]
    fn the_list_stays_as_permify_spells_it() {
        let it = snapshot(5, 2, 9, &[8, 3, 8]);
        assert_eq!((it.xid(), it.xmin(), it.xmax()), (5, Some(2), Some(9)));
        assert_eq!(it.in_progress(), [3, 5, 8]);
        let spellings: [&[u64]; 3] = [&[3, 5, 8], &[8, 5, 3, 5], &[3, 8]];
        let same: HashSet<_> = spellings.map(|ids| snapshot(5, 2, 9, ids)).into();
        assert_eq!(same, [it].into());

        let legacy = PermifySnapshot::legacy(5);
        assert_eq!((legacy.xid(), legacy.xmin(), legacy.xmax()), (5, None, None));
        assert!(legacy.in_progress().is_empty());
    }

    #[test]
    fn rejects_malformed_snapshots() {
        for (xid, xmin, xmax) in [(2, 3, 6), (6, 3, 6), (5, 6, 3), (3, 3, 3), (u64::MAX, 3, u64::MAX)] {
            let rejected = PermifySnapshot::new(xid, xmin, xmax, []).unwrap_err();
            assert_eq!(rejected, InvalidSnapToken::WriteOutside);
        }
        for id in [6, u64::MAX] {
            let rejected = PermifySnapshot::new(4, 3, 6, [4, id]).unwrap_err();
            assert_eq!(rejected, InvalidSnapToken::OutOfRange);
        }
    }

    #[test]
    fn the_later_of_two_is_their_join() {
        let (early, late) = (snapshot(12, 10, 13, &[10]), snapshot(20, 13, 21, &[15]));
        assert_eq!(early.join(&late), Some(late.clone()));
        assert_eq!(late.join(&early), Some(late.clone()));
        assert_eq!(late.join(&late), Some(late.clone()));
        assert_eq!(late.join(&lone(19)), None);
        assert_eq!(late.join(&PermifySnapshot::legacy(12)), None);
    }

    #[test]
    fn counts_the_transactions_between() {
        assert_eq!(lone(12).lead(&lone(10)), Some(2));
        assert_eq!(lone(12).lead(&snapshot(12, 10, 13, &[10])), Some(1));
        assert_eq!(lone(12).lead(&snapshot(12, 10, 13, &[])), Some(0));
        assert_eq!(lone(u64::MAX - 1).lead(&lone(0)), Some(u64::MAX - 1));
        assert_eq!(snapshot(20, 10, 21, &[]).lead(&snapshot(12, 10, 13, &[])), None);
        assert_eq!(PermifySnapshot::legacy(7).lead(&PermifySnapshot::legacy(7)), None);
    }

    /// Tokens close to each other, which see up to `above` past their write and may name what is not below `lowest`.
    fn snapshots(above: impl Strategy<Value = u64>, lowest: u64) -> impl Strategy<Value = PermifySnapshot> {
        let ids = proptest::collection::vec(0_u64..9, 0..3);
        (0_u64..5, 0_u64..3, above, ids).prop_map(move |(xid, below, above, ids)| {
            let (xmin, xmax) = (xid.saturating_sub(below), xid + above);
            let ids = ids.into_iter().filter(|id| (xmin.min(lowest)..xmax).contains(id));
            PermifySnapshot::new(xid, xmin, xmax, ids).unwrap()
        })
    }

    fn as_permify_gives_it() -> impl Strategy<Value = PermifySnapshot> {
        snapshots(Just(1), u64::MAX)
    }

    fn arbitrary() -> impl Strategy<Value = PermifySnapshot> {
        let legacy = (0_u64..5).prop_map(PermifySnapshot::legacy);
        prop_oneof![6 => as_permify_gives_it(), 3 => snapshots(1_u64..4, 0), 1 => legacy]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn is_a_partial_order(a in arbitrary(), b in arbitrary(), c in arbitrary()) {
            laws::order(&a, &b, &c)?;
        }

        #[test]
        fn joins_are_the_later_one(a in arbitrary(), b in arbitrary()) {
            let joined = a.join(&b);
            prop_assert_eq!(joined.is_some(), a.partial_cmp(&b).is_some());
            prop_assert!(joined.is_none_or(|joined| (joined == a || joined == b) && joined >= a && joined >= b));
        }

        #[test]
        fn is_after_writes_below_its_xmin_and_its_own_if_alone(a in as_permify_gives_it(), b in as_permify_gives_it()) {
            let below = b.xmin().is_some_and(|xmin| a.xid() < xmin);
            let alone = b.xmin() == Some(b.xid());
            let ended = below || alone && a.xid() == b.xid();
            prop_assert_eq!(b.settles(&a), ended);
            prop_assert_eq!(b >= a, ended || a == b);
        }

        #[test]
        fn never_panics(xid: u64, xmin: u64, xmax: u64, ids: Vec<u64>, other in arbitrary()) {
            if let Ok(it) = PermifySnapshot::new(xid, xmin, xmax, ids) {
                laws::order(&it, &other, &it)?;
                prop_assert!(it.join(&it).is_some_and(|joined| joined == it));
            }
        }
    }
}
