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
