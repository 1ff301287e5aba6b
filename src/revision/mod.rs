//! Revisions: points in one store's history, in that store's own partial order.
//!
//! A [`Revision`] is a [`Point`] together with the [`StoreId`] of the store whose history it belongs to. Revisions of
//! different stores, or of different kinds, never compare: [`PartialOrd::partial_cmp`] returns `None`, and `None` never
//! counts as fresh enough.
//!
//! | kind | order | of |
//! |---|---|---|
//! | [`Counter`] | total | stores that number their revisions |
//! | [`HybridTime`] | total | SpiceDB in memory, on Spanner and on CockroachDB; Permify in memory |
//! | [`TransactionId`] | total, but covering depends on time as well | SpiceDB on MySQL |
//! | [`PostgresSnapshot`] | partial | SpiceDB on PostgreSQL |
//! | [`PermifySnapshot`] | partial | Permify on PostgreSQL |
//! | [`VectorClock`] | partial | InferaDB |
//! | [`Opaque`] | equality only | any store whose tokens can't be read |

mod counter;
mod hybrid;
#[cfg(test)]
mod laws;
mod opaque;
mod permify;
mod postgres;
#[cfg(test)]
mod tests;
mod transaction;
mod vector;

use std::any::Any;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use tokio::time::Instant;

pub use counter::Counter;
pub use hybrid::HybridTime;
pub use opaque::Opaque;
pub use permify::{InvalidSnapToken, PermifySnapshot};
pub use postgres::{InvalidSnapshot, PostgresSnapshot};
pub use transaction::TransactionId;
pub use vector::VectorClock;
pub(crate) use vector::compare as compare_clocks;

/// One kind of revision: how points of a store's history compare and join.
///
/// The order is partial. `==`, [`Hash`] and [`PartialOrd`] must agree: points that are spelled differently but mean
/// the same are equal and hash alike. Every operation is linear in the size of the points.
pub trait Point: fmt::Debug + PartialOrd + Eq + Hash + Send + Sync + Sized + 'static {
    /// How much of an order this kind has. Say [`Order::Total`] only where any two points compare.
    const ORDER: Order = Order::Partial;

    /// The least point at or after both, or `None` where this kind has no join.
    fn join(&self, other: &Self) -> Option<Self>;

    /// Whether an answer evaluated at this point includes everything that `floor` demands.
    ///
    /// Kinds that assign numbers before commit use `timing` too.
    fn covers(&self, floor: &Self, timing: Timing) -> bool {
        let _ = timing;
        self >= floor
    }

    /// Whether a read at `earlier` gives the same answer every time, now that the store has named this point.
    fn settles(&self, earlier: &Self) -> bool {
        self >= earlier
    }

    /// How many steps of the history (or nanoseconds) this point is ahead of `behind`, where that can be counted.
    fn lead(&self, behind: &Self) -> Option<u64> {
        let _ = behind;
        None
    }
}

/// How much of an order a kind of revision has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Order {
    /// Of any two points one is at or after the other.
    Total,
    /// Some points are concurrent: neither is at or after the other.
    Partial,
    /// Points are equal or not. What is unequal may still be newer.
    Equality,
}

/// Whether an answer's upstream call began before the request with the floor arrived, or after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// The call had begun when the request arrived.
    BegunBefore,
    /// The request had arrived when the call began.
    BegunAfter,
}

impl Timing {
    /// Of an answer whose upstream call began at this instant, and a floor that was demanded at that one.
    pub(crate) fn of(answer_began: Instant, floor_demanded: Instant) -> Self {
        if answer_began >= floor_demanded {
            Self::BegunAfter
        } else {
            Self::BegunBefore
        }
    }
}

/// The identity of one store: its kind, its endpoint or configured name, its tenant, its datastore prefix.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StoreId(Arc<str>);

impl StoreId {
    /// An identity made of parts, most general first, such as `["spicedb", "postgres", "6349aaf2"]`.
    ///
    /// The lengths of the parts keep them apart: `["a", "bc"]` and `["ab", "c"]` are different stores.
    pub fn new<'a>(parts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut text = String::new();
        for part in parts {
            text.push_str(&part.len().to_string());
            text.push(':');
            text.push_str(part);
            text.push('/');
        }
        Self(text.into())
    }

    /// The parts that this identity was made of.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        let mut rest = &*self.0;
        std::iter::from_fn(move || {
            let (len, text) = rest.split_once(':')?;
            let (part, after) = text.split_at_checked(len.parse().ok()?)?;
            rest = after.strip_prefix('/')?;
            Some(part)
        })
    }
}

impl fmt::Debug for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A point in the history of one store.
///
/// ```
/// use tower_zookie::revision::{Counter, Revision, StoreId};
///
/// let store = StoreId::new(["example"]);
/// let older = Revision::new(store.clone(), Counter(41));
/// let newer = Revision::new(store, Counter(42));
/// assert!(older < newer);
///
/// let elsewhere = Revision::new(StoreId::new(["another"]), Counter(42));
/// assert_eq!(newer.partial_cmp(&elsewhere), None);
/// ```
#[derive(Clone)]
pub struct Revision(Arc<dyn Erased>);

impl Revision {
    /// The revision `point` of the store `store`.
    pub fn new<P: Point>(store: StoreId, point: P) -> Self {
        Self(Arc::new(Placed { store, point }))
    }

    /// The store whose history this revision belongs to.
    pub fn store(&self) -> &StoreId {
        self.0.store()
    }

    /// The point, if it is of the kind `P`.
    pub fn point<P: Point>(&self) -> Option<&P> {
        self.0.point().downcast_ref()
    }

    /// The least revision at or after both; `None` across stores and kinds, and where the kind has no join.
    pub fn join(&self, other: &Self) -> Option<Self> {
        if Arc::ptr_eq(&self.0, &other.0) {
            return Some(self.clone());
        }
        self.0.join(&*other.0)
    }

    /// Whether this revision equals `other` or is after it. `false` where they are concurrent, or of different stores.
    pub(crate) fn is_at_or_after(&self, other: &Self) -> bool {
        self >= other
    }

    /// Whether an answer evaluated at this revision includes everything that `floor` demands.
    pub fn covers(&self, floor: &Self, timing: Timing) -> bool {
        self.0.covers(&*floor.0, timing)
    }

    /// How much of an order this revision's kind has.
    pub fn order(&self) -> Order {
        self.0.order()
    }

    /// Whether a read at `earlier` gives the same answer every time, now that the store has named this revision.
    pub fn settles(&self, earlier: &Self) -> bool {
        self.0.settles(&*earlier.0)
    }

    /// How far this revision is ahead of `behind`, where the kind can count that.
    pub fn lead(&self, behind: &Self) -> Option<u64> {
        self.0.lead(&*behind.0)
    }
}

impl PartialEq for Revision {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.equals(&*other.0)
    }
}

impl Eq for Revision {}

impl PartialOrd for Revision {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        if Arc::ptr_eq(&self.0, &other.0) {
            return Some(Ordering::Equal);
        }
        self.0.compare(&*other.0)
    }
}

impl Hash for Revision {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash_into(state);
    }
}

impl fmt::Debug for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A [`Placed`] point without its type, so that one cache serves every kind.
trait Erased: fmt::Debug + Send + Sync {
    fn store(&self) -> &StoreId;
    fn order(&self) -> Order;
    fn point(&self) -> &dyn Any;
    fn equals(&self, other: &dyn Erased) -> bool;
    fn compare(&self, other: &dyn Erased) -> Option<Ordering>;
    fn join(&self, other: &dyn Erased) -> Option<Revision>;
    fn covers(&self, floor: &dyn Erased, timing: Timing) -> bool;
    fn settles(&self, earlier: &dyn Erased) -> bool;
    fn lead(&self, behind: &dyn Erased) -> Option<u64>;
    fn hash_into(&self, state: &mut dyn Hasher);
}

#[derive(Debug)]
struct Placed<P> {
    store: StoreId,
    point: P,
}

impl<P: Point> Placed<P> {
    fn same_history<'a>(&self, other: &'a dyn Erased) -> Option<&'a P> {
        (self.store == *other.store())
            .then(|| other.point().downcast_ref())
            .flatten()
    }
}

impl<P: Point> Erased for Placed<P> {
    fn store(&self) -> &StoreId {
        &self.store
    }

    fn order(&self) -> Order {
        P::ORDER
    }

    fn point(&self) -> &dyn Any {
        &self.point
    }

    fn equals(&self, other: &dyn Erased) -> bool {
        self.same_history(other) == Some(&self.point)
    }

    fn compare(&self, other: &dyn Erased) -> Option<Ordering> {
        self.point.partial_cmp(self.same_history(other)?)
    }

    fn join(&self, other: &dyn Erased) -> Option<Revision> {
        let joined = self.point.join(self.same_history(other)?)?;
        Some(Revision::new(self.store.clone(), joined))
    }

    fn covers(&self, floor: &dyn Erased, timing: Timing) -> bool {
        self.same_history(floor)
            .is_some_and(|floor| self.point.covers(floor, timing))
    }

    fn settles(&self, earlier: &dyn Erased) -> bool {
        self.same_history(earlier)
            .is_some_and(|earlier| self.point.settles(earlier))
    }

    fn lead(&self, behind: &dyn Erased) -> Option<u64> {
        self.point.lead(self.same_history(behind)?)
    }

    fn hash_into(&self, mut state: &mut dyn Hasher) {
        self.store.hash(&mut state);
        self.point.hash(&mut state);
    }
}
