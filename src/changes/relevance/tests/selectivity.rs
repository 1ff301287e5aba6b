use std::fmt;

use crate::changes::relevance::reach::Reach;
use crate::changes::relevance::tests::{concerns, verdict};
use crate::changes::{Change, Question, Verdict};

/// How many changes rules of growing precision let through, of those that alter nothing.
#[derive(Debug, Default)]
pub(super) struct Selectivity {
    changes: u64,
    by_relation: u64,
    by_tuple: u64,
    with_sign: u64,
    /// `None` where it was not tried.
    with_structure: Option<u64>,
}

/// Counts a change and a question.
pub(super) fn count(counts: &mut Selectivity, reach: &Reach, change: &Change, question: &Question, held: bool) {
    let of_change = (&change.resource.kind, &change.relation);
    let by_relation = reach
        .entries
        .iter()
        .any(|entry| (&entry.kind, &entry.relation) == of_change);
    let by_tuple = concerns(reach, change, false, question, Verdict::Unclear);
    let with_sign = concerns(reach, change, false, question, verdict(held));
    counts.changes += 1;
    counts.by_relation += u64::from(by_relation);
    counts.by_tuple += u64::from(by_tuple);
    counts.with_sign += u64::from(with_sign);
}

/// The same with a structure, for which it is known whether the change concerns the question.
pub(super) fn count_with_structure(
    counts: &mut Selectivity,
    reach: &Reach,
    change: &Change,
    question: &Question,
    held: bool,
    concerned: bool,
) {
    count(counts, reach, change, question, held);
    *counts.with_structure.get_or_insert(0) += u64::from(concerned);
}

impl Selectivity {
    fn share(&self, let_through: u64) -> f64 {
        let_through as f64 / self.changes.max(1) as f64
    }

    pub(super) fn by_relation(&self) -> f64 {
        self.share(self.by_relation)
    }

    pub(super) fn with_structure(&self) -> f64 {
        self.share(self.with_structure.expect("it was tried"))
    }

    pub(super) fn with_sign(&self) -> f64 {
        self.share(self.with_sign)
    }
}

impl fmt::Display for Selectivity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |let_through| 100.0 * self.share(let_through);
        write!(
            f,
            "of {} changes relevant by any change 100 %, by relation {:.1} %, by tuple {:.1} %, with sign {:.1} %",
            self.changes,
            percent(self.by_relation),
            percent(self.by_tuple),
            percent(self.with_sign)
        )?;
        match self.with_structure {
            Some(let_through) => write!(f, ", with structure {:.2} %", percent(let_through)),
            None => Ok(()),
        }
    }
}
