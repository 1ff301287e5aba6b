use super::CallStart;
use crate::revision::Revision;

/// The revision that an answer bears for others, if any.
///
/// `told` is the revision that the forwarded request named, `borne` the one that its reply names. An answer bears what
/// its reply names if the upstream chose it, or if it was trusted before the call began; where the reply names none, it
/// bears what was asked for, under the same condition. Otherwise a client's forged token could become a label.
pub(crate) fn label(told: Option<&Revision>, borne: Option<&Revision>, start: &CallStart) -> Option<Revision> {
    match (told, borne) {
        (None, borne) => borne.cloned(),
        (Some(told), Some(borne)) => (borne > told || start.trusts(borne)).then(|| borne.clone()),
        (Some(told), None) => start.trusts(told).then(|| told.clone()),
    }
}
