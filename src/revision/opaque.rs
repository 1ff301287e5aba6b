use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use crate::revision::{Order, Point};

/// A revision of which only the spelling is known: it covers itself and nothing else.
///
/// Different ones have no order and no join, so two floors of this kind can only be met by full consistency.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Opaque(Arc<str>);

impl Opaque {
    /// The revision of this spelling.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The spelling.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Shows only the length: the spelling is a token, and tokens don't belong in logs.
impl fmt::Debug for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opaque({} bytes)", self.0.len())
    }
}

impl PartialOrd for Opaque {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl Point for Opaque {
    const ORDER: Order = Order::Equality;

    fn join(&self, other: &Self) -> Option<Self> {
        (self == other).then(|| self.clone())
    }
}
