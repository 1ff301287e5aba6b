use crate::protocol::Checkpoints;
use crate::revision::Revision;

/// Through which revision a feed has reported every change, by the checkpoints that it sends.
#[derive(Clone, Debug)]
pub(super) struct Promised {
    rule: Checkpoints,
    /// The newest checkpoint that is not promised yet, where checkpoints say what lies below them.
    held: Option<Revision>,
}

impl Promised {
    pub(super) fn new(rule: Checkpoints) -> Self {
        Self { rule, held: None }
    }

    /// The feed was opened after this revision.
    pub(super) fn begin(&mut self, start: Revision) {
        self.held = Some(start);
    }

    /// A checkpoint arrived: through which of the revisions that the store named it promises every change.
    pub(super) fn checkpoint(&mut self, at: Revision) -> Option<Revision> {
        match self.rule {
            Checkpoints::Nothing => None,
            Checkpoints::Through => Some(at),
            Checkpoints::Below => match &self.held {
                Some(held) if at > *held => self.held.replace(at),
                Some(_) => None,
                None => self.held.replace(at),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::revision::{HybridTime, StoreId};

    fn at(nanos: i64) -> Revision {
        Revision::new(StoreId::new(["test"]), HybridTime { nanos, logical: 0 })
    }

    /// What a CockroachDB sends to one who resumes after `from`: before each resolved time, in any order, the changes
    /// strictly below it that it has not sent yet. Changes at the resolved time itself come with the next one.
    fn sent(changes: &[i64], from: i64, resolved: &[i64]) -> Vec<Sent> {
        let (mut sent, mut below) = (Vec::new(), i64::MIN);
        for resolved in resolved {
            let due = |change: &&i64| **change > from && **change >= below && *change < resolved;
            sent.extend(changes.iter().filter(due).map(|change| Sent::Change(*change)));
            sent.push(Sent::Resolved(*resolved));
            below = below.max(*resolved);
        }
        sent
    }

    #[derive(Clone, Copy, Debug)]
    enum Sent {
        Change(i64),
        Resolved(i64),
    }

    fn nanos(revision: &Revision) -> i64 {
        revision.point::<HybridTime>().unwrap().nanos
    }

    proptest! {
        #[test]
        fn rule_13_below_promises_only_what_was_sent(
            changes in vec(0_i64..60, 0..40),
            runs in vec((vec(0_i64..6, 1..12), 0_usize..40), 1..4),
        ) {
            let (mut frontier, mut heard) = (0, Vec::new());
            for (steps, cut) in runs {
                let mut now = frontier;
                let resolved: Vec<i64> = steps.iter().map(|step| { now += step; now }).collect();
                let mut promised = Promised::new(Checkpoints::Below);
                promised.begin(at(frontier));
                for sent in sent(&changes, frontier, &resolved).into_iter().take(cut) {
                    match sent {
                        Sent::Change(change) => heard.push(change),
                        Sent::Resolved(time) => {
                            let Some(through) = promised.checkpoint(at(time)) else { continue };
                            let through = nanos(&through);
                            prop_assert!(through >= frontier && (through == frontier || resolved.contains(&through)));
                            frontier = through;
                            let missing = changes.iter().find(|change| {
                                **change > 0 && **change <= frontier && !heard.contains(change)
                            });
                            prop_assert!(missing.is_none(), "{missing:?} is missing through {frontier}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn below_promises_what_came_before_the_last_checkpoint() {
        let mut promised = Promised::new(Checkpoints::Below);
        promised.begin(at(1));
        let told: Vec<_> = [1, 2, 2, 1, 5, 7].map(|time| promised.checkpoint(at(time))).into();
        assert_eq!(told, [None, Some(at(1)), None, None, Some(at(2)), Some(at(5))]);
    }

    #[test]
    fn through_promises_each_checkpoint_and_nothing_none() {
        let mut through = Promised::new(Checkpoints::Through);
        let mut nothing = Promised::new(Checkpoints::Nothing);
        for time in [3, 1, 3] {
            assert_eq!(through.checkpoint(at(time)), Some(at(time)));
            assert_eq!(nothing.checkpoint(at(time)), None);
        }
    }
}
