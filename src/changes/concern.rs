use std::sync::OnceLock;

use crate::changes::question::{Question, Verdict};
use crate::changes::stamps::Slot;

/// Which changes concern a question.
#[derive(Clone, Debug)]
pub(super) enum Concern {
    Every,
    /// Those that stamp one of these places, as long as no schema change has a higher number than `schema`.
    These {
        slots: Box<[Slot]>,
        schema: u64,
        /// To be looked at more closely, where the structure is kept.
        asked: Option<Box<Asked>>,
    },
    /// The schema was not known when the answer arrived.
    Unknown,
}

/// A question and its answer.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) question: Question,
    pub(super) verdict: Verdict,
    /// Which changes concern them, by the relationships that led on when the answer arrived, or soon after. What leads on
    /// since without ending the answer can only confirm it.
    pub(super) walked: OnceLock<Option<Box<[Slot]>>>,
}

/// How many slots of a walk an answer remembers.
pub(super) const MOST_REMEMBERED: usize = 128;

impl Asked {
    pub(super) fn new(question: Question, verdict: Verdict) -> Self {
        Self {
            question,
            verdict,
            walked: OnceLock::new(),
        }
    }

    /// How many bytes it takes.
    pub(super) fn heap_bytes(&self) -> usize {
        size_of::<Self>() + self.question.heap_bytes() + MOST_REMEMBERED * size_of::<Slot>()
    }
}
