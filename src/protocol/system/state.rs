use bytes::Bytes;

use crate::cache::ReadAt;
use crate::consistency::Consistency;
use crate::protocol::call::Call;
use crate::protocol::operation::{Field, Is, Place};
use crate::protocol::wire::{Edit, Put, Wire};
use crate::token::Zookie;

/// The freshness that a forwarded message has to state.
#[derive(Clone, Copy, Debug)]
pub(super) struct State<'a> {
    place: Place,
    consistency: Consistency,
    /// The token of the revision, if the message has to name one.
    zookie: Option<&'a Zookie>,
    /// The call's own message states exactly this.
    is_stated: bool,
}

impl<'a> State<'a> {
    /// What asks at `at`. `zookie` spells the revision that `at` names, if it names one.
    pub(super) fn of(call: &Call, at: &ReadAt, zookie: Option<&'a Zookie>, place: Place) -> Self {
        let (consistency, zookie) = match place {
            Place::Consistency { .. } => consistency(at, zookie),
            Place::Token { .. } => (Consistency::AtExactSnapshot, token(call, at, zookie)),
        };
        let is_same = match place {
            // Without a consistency the server minimizes latency.
            Place::Consistency { .. } => call.consistency.unwrap_or(Consistency::MinimizeLatency) == consistency,
            Place::Token { .. } => true,
        };
        Self {
            place,
            consistency,
            zookie,
            is_stated: is_same && call.token.as_deref() == zookie.map(|zookie| zookie.as_str().as_bytes()),
        }
    }

    /// The body with this freshness, and a bulk with only these items. `None` if nothing changes.
    pub(super) fn rewrite<W: Wire>(&self, body: &Bytes, items: Option<(&'static Field, &[usize])>) -> Option<Bytes> {
        let text = Put::Text(self.zookie.map_or("", Zookie::as_str));
        let rewrite = |within, field, value| {
            let edit = Edit {
                within,
                field,
                value,
                is_stated: self.is_stated,
            };
            W::rewrite(body, Some(&edit), items)
        };
        match self.place {
            Place::Token { within, token } => rewrite(Some(within), token, text),
            Place::Consistency { field, ways } => {
                let is_way = |way: &&Field| matches!(way.is, Is::Consistency(of, _) if of == self.consistency);
                let way = ways.iter().find(is_way)?;
                match way.is {
                    Is::Consistency(_, [token, ..]) => {
                        rewrite(None, field, Put::Message(&[(way, Put::Message(&[(token, text)]))]))
                    }
                    _ => rewrite(None, field, Put::Message(&[(way, Put::True)])),
                }
            }
        }
    }
}

/// If a revision has no token, only a read at head certainly covers it.
fn consistency<'a>(at: &ReadAt, zookie: Option<&'a Zookie>) -> (Consistency, Option<&'a Zookie>) {
    match (at, zookie) {
        (ReadAt::Any, _) => (Consistency::MinimizeLatency, None),
        (ReadAt::AtLeast(_) | ReadAt::Unmodified(_), Some(_)) => (Consistency::AtLeastAsFresh, zookie),
        (ReadAt::Exact(_), Some(_)) => (Consistency::AtExactSnapshot, zookie),
        (ReadAt::Head, _) | (_, None) => (Consistency::FullyConsistent, None),
    }
}

/// The token of a message that asks at `at`. Without a token the server reads at head.
///
/// If the layer has no revision that is fresh enough, it forwards the message unmodified. A message without a token
/// then asks for head. The token of a carrier must not be added to it: the server would read exactly there, which is
/// older than head.
fn token<'a>(call: &Call, at: &ReadAt, zookie: Option<&'a Zookie>) -> Option<&'a Zookie> {
    match at {
        ReadAt::Any | ReadAt::Head => None,
        ReadAt::AtLeast(_) | ReadAt::Exact(_) => zookie,
        ReadAt::Unmodified(_) => zookie.filter(|_| call.token.is_some()),
    }
}
