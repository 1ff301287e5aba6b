//! The freshness that a request to the service states.

use axum::extract::Request;
use tower_zookie::Asked;
use tower_zookie::consistency::Consistency;

use crate::checker::{Wish, revision_of};

#[derive(Clone, Debug)]
pub(crate) struct Told {
    asked: Option<Asked>,
    zookies: Vec<String>,
    consistencies: Vec<String>,
}

impl Told {
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

    /// Whether it says, in the headers and in the extension, all that a request demands.
    pub(crate) fn says(&self, wish: Wish, floors: &[u64]) -> bool {
        let Some(Asked { consistency, zookie }) = &self.asked else {
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
        let wished = match wish {
            Wish::Exact => return *consistency == Consistency::AtExactSnapshot && at == Some(floor),
            Wish::Full => at_head,
            Wish::Bounded(bound) => {
                at_head || matches!(consistency, Consistency::BoundedStaleness(told) if *told <= bound)
            }
            Wish::Any => floor.is_none() || *consistency != Consistency::MinimizeLatency,
        };
        let bears_floor = floor.is_none() || at.flatten() >= floor || at_head && at.is_none();
        wished && bears_floor && (*consistency != Consistency::AtExactSnapshot)
    }
}
