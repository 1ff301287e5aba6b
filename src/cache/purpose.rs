/// Why an upstream call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To answer the questions as the caller demands.
    Answer,
    /// To answer them at more than the caller demands: if the upstream rejects the revision, it is asked once more.
    AnswerAtMore,
    /// To learn a fresh revision, and nothing else.
    Probe,
    /// To learn a fresh revision while there is traffic. No caller waits. The answer is stored like any other.
    Background,
}
