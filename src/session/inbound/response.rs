use http::response::Parts;
use http::{HeaderMap, Method};

use crate::consistency::CONSISTENCY;
use crate::session::current::{Session, signed};
use crate::session::floors::Floors;
use crate::session::inbound::request::INCOMPLETE;
use crate::session::inbound::settings::Settings;
use crate::session::reply::{READ, SESSION, WRITTEN, absorb, absorb_unnamed_write, fully_consistent, is_of_write};
use crate::token::{Carrier, Zookie};

impl Settings {
    /// Takes the tokens of the inner service's own response into the session.
    pub(super) fn absorb(&self, session: &Session, response: &Parts, method: &Method) {
        let written = is_of_write(&response.headers, method);
        for place in self.carriers.places() {
            if let Carrier::Header(name) = place {
                absorb(session, &response.headers, name, written);
            }
        }
        if let Some(name) = self.carriers.first_header() {
            absorb_unnamed_write(session, response, name);
        }
    }

    /// Puts what the session has become into the head of a response, and says which version that was.
    pub(super) fn return_in_head(&self, session: &Session, headers: &mut HeaderMap) -> u64 {
        let floors = session.floors().clone();
        self.return_in(&floors, headers);
        if self.set_cookies && (floors.written || floors.needed) {
            self.set_cookie(&floors, headers);
        }
        floors.version
    }

    /// Puts what the session has become since that version into the trailers of a response.
    pub(super) fn return_in_trailers(&self, session: &Session, since: u64, trailers: &mut HeaderMap) {
        let floors = session.floors().clone();
        if floors.version != since {
            self.return_in(&floors, trailers);
        }
    }

    fn return_in(&self, floors: &Floors, headers: &mut HeaderMap) {
        let tokens = self.signed(floors);
        self.carriers.set_header_lists(headers, &tokens);
        if floors.incomplete {
            headers.insert(CONSISTENCY, fully_consistent());
        }
        if !tokens.is_empty() || floors.incomplete {
            headers.insert(SESSION, if floors.written { WRITTEN } else { READ });
        }
    }

    fn set_cookie(&self, floors: &Floors, headers: &mut HeaderMap) {
        if !floors.incomplete {
            // With signatures they may be too long for browsers.
            let mut either = [self.signed(floors), zookies(floors)].into_iter();
            if either.any(|tokens| tokens.is_empty() || self.carriers.set_cookies(headers, &tokens).is_ok()) {
                return;
            }
        }
        // A browser would not store tokens as long as these, and must not go on with an older one.
        let incomplete = Zookie::new(INCOMPLETE, INCOMPLETE.len());
        let set = incomplete.and_then(|marker| self.carriers.set_cookies(headers, &[marker]));
        if let Err(error) = set {
            tracing::debug!(%error, "no zookie cookie was set");
        }
    }
}

impl Settings {
    /// The tokens of a session, with signatures on those that the store has named.
    fn signed(&self, floors: &Floors) -> Vec<Zookie> {
        let tokens = floors.tokens().iter();
        tokens.map(|token| signed(&self.memo, token)).collect()
    }
}

fn zookies(floors: &Floors) -> Vec<Zookie> {
    floors.tokens().iter().map(|token| token.zookie.clone()).collect()
}
