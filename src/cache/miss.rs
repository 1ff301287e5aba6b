use std::fmt;

/// Why a question was not answered from the cache. Each miss has one reason, the same in `Cache-Status`, in
/// [`Stats`](crate::cache::Stats), in the metrics and in the debug event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Miss {
    /// `first`: nothing is remembered of the question. It is asked for the first time, or for the first time in long.
    First,
    /// `evicted`: an answer was stored, and made room for others.
    Evicted,
    /// `other_credential`: an answer is stored for another credential than the caller's.
    OtherCredential,
    /// The question was asked before, and its last answer was not stored.
    NotStored(NotStored),
    /// `absent`: no answer is stored, and [`miss_memory`](crate::cache::Settings::miss_memory) is off, so that nothing says
    /// why.
    Absent,
    /// `expired`: the stored answer's time to live is over.
    Expired,
    /// `epoch`: the stored answer is from before the store or its schema was replaced, or the cache emptied.
    Epoch,
    /// `floor`: the caller's floor is above the stored answer, or can't be compared with it.
    Floor,
    /// `age`: the stored answer is older than the window, or than the caller's own bound, allows.
    Age,
    /// `changed`: the store's change feed reported a change that may concern the stored answer.
    Changed,
    /// `exact`: the caller asked for one exact snapshot, of which no answer is stored.
    Exact,
    /// `apart`: the stored answers to a bulk's questions do not hold at one revision.
    Apart,
    /// `full`: the caller asked for full consistency.
    Full,
    /// `no_cache`: the caller's `Cache-Control` says `no-cache`.
    NoCache,
    /// `without_token`: the request has no token, and the system reads such requests at head.
    WithoutToken,
    /// `cookie`: the request's cookie can't be read, is too old, or may belong to another store. Only head is surely fresh
    /// enough.
    Cookie,
    /// `old_token`: the request's token is older than [`oldest_token`](crate::ZookieLayerBuilder::oldest_token) allows, so
    /// the question is asked at head.
    OldToken,
    /// `unmodified`: the request's token says more than a revision, or the store's head may lack it. Only the upstream can
    /// judge it.
    Unmodified,
    /// `object_unsettled`: a write of the request's objects may still run, so the question is asked at head.
    ObjectUnsettled,
    /// `object_unknown`: the tokens of the request's objects could not be looked up, so the question is asked at head.
    ObjectUnknown,
    /// `object_unnamed`: the request does not say which objects it concerns, so it is asked at head.
    ObjectUnnamed,
}

/// Why the last answer to a question was not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NotStored {
    /// `pending`: a call for it was begun, and has not been answered, or was not in time.
    Pending,
    /// `error_status`: the upstream failed, or its reply was an error.
    ErrorStatus,
    /// `no_token`: the reply named no revision.
    NoToken,
    /// `unreadable_token`: the reply's token can't be read.
    UnreadableToken,
    /// `no_verdict`: the reply held no verdict that may be stored.
    NoVerdict,
    /// `no_store`: the reply's own headers forbid it.
    NoStore,
    /// `too_large`: the reply is over the limit.
    TooLarge,
    /// `unsettled`: the store has not named the revision that was asked at, so others can't rely on it.
    Unsettled,
    /// `too_old`: the reply's revision is older than the window allows.
    TooOld,
    /// `unshared`: it was asked for its caller alone, because a limit was reached.
    Unshared,
    /// `other_store`: the reply was of another store than the request's token, or than the one before.
    OtherStore,
    /// `replaced`: the store or its schema was replaced, or the cache emptied, while it was asked.
    Replaced,
}

use NotStored as Not;

impl Miss {
    /// All reasons.
    pub const ALL: &'static [Self] = &[
        Self::First,
        Self::Evicted,
        Self::OtherCredential,
        Self::NotStored(Not::Pending),
        Self::NotStored(Not::ErrorStatus),
        Self::NotStored(Not::NoToken),
        Self::NotStored(Not::UnreadableToken),
        Self::NotStored(Not::NoVerdict),
        Self::NotStored(Not::NoStore),
        Self::NotStored(Not::TooLarge),
        Self::NotStored(Not::Unsettled),
        Self::NotStored(Not::TooOld),
        Self::NotStored(Not::Unshared),
        Self::NotStored(Not::OtherStore),
        Self::NotStored(Not::Replaced),
        Self::Absent,
        Self::Expired,
        Self::Epoch,
        Self::Floor,
        Self::Age,
        Self::Changed,
        Self::Exact,
        Self::Apart,
        Self::Full,
        Self::NoCache,
        Self::WithoutToken,
        Self::Cookie,
        Self::OldToken,
        Self::Unmodified,
        Self::ObjectUnsettled,
        Self::ObjectUnknown,
        Self::ObjectUnnamed,
    ];

    /// Its place in [`ALL`](Self::ALL).
    pub(crate) const fn index(self) -> usize {
        match self {
            Self::First => 0,
            Self::Evicted => 1,
            Self::OtherCredential => 2,
            Self::NotStored(why) => 3 + why as usize,
            Self::Absent => 15,
            Self::Expired => 16,
            Self::Epoch => 17,
            Self::Floor => 18,
            Self::Age => 19,
            Self::Changed => 20,
            Self::Exact => 21,
            Self::Apart => 22,
            Self::Full => 23,
            Self::NoCache => 24,
            Self::WithoutToken => 25,
            Self::Cookie => 26,
            Self::OldToken => 27,
            Self::Unmodified => 28,
            Self::ObjectUnsettled => 29,
            Self::ObjectUnknown => 30,
            Self::ObjectUnnamed => 31,
        }
    }

    /// Its name in the statistics and the metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Evicted => "evicted",
            Self::OtherCredential => "other_credential",
            Self::NotStored(why) => why.name(),
            Self::Absent => "absent",
            Self::Expired => "expired",
            Self::Epoch => "epoch",
            Self::Floor => "floor",
            Self::Age => "age",
            Self::Changed => "changed",
            Self::Exact => "exact",
            Self::Apart => "apart",
            Self::Full => "full",
            Self::NoCache => "no_cache",
            Self::WithoutToken => "without_token",
            Self::Cookie => "cookie",
            Self::OldToken => "old_token",
            Self::Unmodified => "unmodified",
            Self::ObjectUnsettled => "object_unsettled",
            Self::ObjectUnknown => "object_unknown",
            Self::ObjectUnnamed => "object_unnamed",
        }
    }
}

impl NotStored {
    /// Its name in the statistics and the metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::ErrorStatus => "error_status",
            Self::NoToken => "no_token",
            Self::UnreadableToken => "unreadable_token",
            Self::NoVerdict => "no_verdict",
            Self::NoStore => "no_store",
            Self::TooLarge => "too_large",
            Self::Unsettled => "unsettled",
            Self::TooOld => "too_old",
            Self::Unshared => "unshared",
            Self::OtherStore => "other_store",
            Self::Replaced => "replaced",
        }
    }
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for NotStored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_17_every_reason_has_a_place_and_a_name_of_its_own() {
        for (index, why) in Miss::ALL.iter().enumerate() {
            assert_eq!(why.index(), index, "{why}");
            let same = |other: &&Miss| other.name() == why.name();
            assert_eq!(Miss::ALL.iter().filter(same).count(), 1, "{why}");
        }
    }
}
