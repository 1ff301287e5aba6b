//! The freshness that a request to the service states.

use axum::extract::Request;
use gateway::checker::{ConsistencyLevel, revision_of};
use tower_zookie::Asked;
use tower_zookie::consistency::Consistency;

#[derive(Clone, Debug)]
pub(crate) struct Stated {
    asked: Option<Asked>,
    zookies: Vec<String>,
    consistencies: Vec<String>,
}

impl Stated {
    pub(crate) fn of(request: &Request) -> Self {
        let values = |name| {
            let values = request.headers().get_all(name).iter();
            values
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
                .collect()
        };
        Self {
            asked: request.extensions().get().cloned(),
            zookies: values("zookie"),
            consistencies: values("zookie-consistency"),
        }
    }

    /// Whether it states, in the headers and in the extension, everything that a request demands.
    pub(crate) fn says(&self, level: ConsistencyLevel, floors: &[u64]) -> bool {
        let Some(Asked {
            consistency, zookie, ..
        }) = &self.asked
        else {
            return false;
        };
        let in_header = match &*self.consistencies {
            [] if self.zookies.is_empty() => Some(Consistency::MinimizeLatency),
            [] => Some(Consistency::AtLeastAsFresh),
            [one] => one.parse().ok(),
            _ => None,
        };
        let zookies = zookie.iter().map(|zookie| zookie.as_str());
        if in_header != Some(*consistency) || !zookies.eq(self.zookies.iter().map(String::as_str)) {
            return false;
        }
        let at = zookie.as_ref().map(|zookie| revision_of(zookie.as_str()));
        let floor = floors.iter().max().copied();
        let at_head = *consistency == Consistency::FullyConsistent;
        let satisfied = match level {
            ConsistencyLevel::Exact => return *consistency == Consistency::AtExactSnapshot && at == Some(floor),
            ConsistencyLevel::Full => at_head,
            ConsistencyLevel::Bounded(bound) => {
                at_head || matches!(consistency, Consistency::BoundedStaleness(stated) if *stated <= bound)
            }
            ConsistencyLevel::Any => floor.is_none() || *consistency != Consistency::MinimizeLatency,
        };
        let has_floor = floor.is_none() || at.flatten() >= floor || at_head && at.is_none();
        satisfied && has_floor && (*consistency != Consistency::AtExactSnapshot)
    }
}
