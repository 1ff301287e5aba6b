/// A store that keeps all its versions. Revision 1 is empty, and each write makes the next one.
#[derive(Debug, Default)]
pub(super) struct Store {
    writes: Vec<(usize, bool)>,
}

impl Store {
    pub(super) fn head(&self) -> u64 {
        self.writes.len() as u64 + 1
    }

    /// Writes, and returns the revision.
    pub(super) fn write(&mut self, question: usize, allowed: bool) -> u64 {
        self.writes.push((question, allowed));
        self.head()
    }

    /// The answer to a question at a revision.
    pub(super) fn verdict(&self, question: usize, revision: u64) -> bool {
        let seen = usize::try_from(revision.saturating_sub(1)).unwrap_or(usize::MAX);
        let writes = &self.writes[..seen.min(self.writes.len())];
        let last = writes.iter().rev().find(|(written, _)| *written == question);
        last.is_some_and(|(_, allowed)| *allowed)
    }

    pub(super) fn verdicts(&self, questions: &[usize], revision: u64) -> Vec<bool> {
        questions
            .iter()
            .map(|question| self.verdict(*question, revision))
            .collect()
    }
}
