/// The end of a node's log, as this process knows it.
#[derive(Debug, Default)]
pub(super) struct Tail {
    /// The last message that this process has read or written.
    pub(super) known: Option<End>,
    /// Whether a message was written whose outcome is not known.
    pub(super) in_doubt: bool,
}

/// Where a log ends, or ended.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct End {
    /// The sequence of a message in the stream; 0 for none.
    pub(super) sequence: u64,
    /// The number of the last entry.
    pub(super) number: u64,
}
