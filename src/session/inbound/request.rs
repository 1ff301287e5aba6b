use std::sync::Arc;

use http::{HeaderMap, Uri};

use crate::consistency::{CONSISTENCY, Consistency};
use crate::protocol::Rejection;
use crate::session::current::Session;
use crate::session::floors::Floors;
use crate::session::inbound::settings::Settings;
use crate::token::TokenErrorKind;

/// The text of a cookie that says that no tokens hold its session's floors. In no format is it a token that covers anything.
pub(super) const INCOMPLETE: &str = "fully-consistent";

impl Settings {
    /// The session of a request with these headers.
    pub(super) fn session(&self, headers: &HeaderMap, uri: &Uri) -> Result<Session, Rejection> {
        let (mut floors, mut unreadable, mut has_token) = (Floors::default(), None, false);
        let visited = self.carriers.visit(headers, uri, |source, text| {
            let parsed = match text {
                Ok(INCOMPLETE) if !source.is_explicit() => Err(TokenErrorKind::Malformed("it is no token")),
                Ok(text) => self.memo.parse_of_request(text),
                Err(error) => Err(error.kind().clone()),
            };
            has_token = true;
            match parsed {
                Ok(token) => floors.add(&self.memo, token),
                Err(kind) if source.is_explicit() => unreadable = Some(kind),
                Err(_) => (floors.at_head, floors.needed) = (true, true),
            }
        });
        if let Err(error) = visited {
            unreadable = Some(error.kind().clone());
        }
        if let Some(kind) = unreadable {
            return Err(Rejection::BadToken(kind));
        }
        floors.needed |= !has_token;
        floors.at_head |= is_fully_consistent(headers);
        Ok(Session::with(Arc::clone(&self.memo), floors))
    }
}

/// Whether a request asks for full consistency, or for what is none of the consistencies.
fn is_fully_consistent(headers: &HeaderMap) -> bool {
    let mut stated = headers.get_all(CONSISTENCY).iter();
    let Some(first) = stated.next() else { return false };
    let parsed = first.to_str().ok().and_then(|text| text.parse().ok());
    stated.next().is_some() || matches!(parsed, None | Some(Consistency::FullyConsistent))
}
