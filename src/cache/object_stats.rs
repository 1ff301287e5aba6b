use serde::Serialize;

/// What a layer did with the tokens of objects.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct ObjectStats {
    /// Checks without a token whose objects' tokens were taken from this process's memory.
    pub from_memory: u64,
    /// Checks without a token whose objects' tokens were looked up in the store.
    pub looked_up: u64,
    /// Queries for them. Checks that come at once share one.
    pub queries: u64,
    /// Queries that failed, or took too long.
    pub failed_queries: u64,
    /// Checks that were fully consistent because a write of one of their objects may still run.
    pub unsettled: u64,
    /// Checks that were fully consistent because their objects' tokens could not be looked up.
    pub not_known: u64,
    /// Checks that were fully consistent because they do not say which objects they concern.
    pub unnamed: u64,
    /// Writes whose tokens were recorded.
    pub recorded: u64,
    /// Writes of which a head was recorded, because their reply named no revision.
    pub heads_recorded: u64,
    /// Writes of unknown outcome, whose objects were left unsettled.
    pub left_unsettled: u64,
    /// Writes whose tokens could not be recorded.
    pub not_recorded: u64,
    /// How old this process's picture of all objects' tokens is, in seconds. `None` where it does not follow the store, or the
    /// picture is not complete.
    pub lag_seconds: Option<f64>,
    /// Records in this process's memory.
    pub followed: u64,
    /// How often the store's feed ended.
    pub feeds_ended: u64,
}
