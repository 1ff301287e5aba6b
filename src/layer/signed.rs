//! Signed tokens: what they say of the store, and which tokens of replies are signed.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use http::Request;

use crate::cache::CarriedIn;
use crate::layer::state::LayerState;
use crate::protocol::Protocol;
use crate::token::{Sent, Token, Zookie, token_within, unix_seconds};

impl<P: Protocol> LayerState<P> {
    /// Whether signed tokens are verified here.
    pub(super) fn verifies(&self) -> bool {
        self.memo.signing().is_some()
    }

    /// Counts a token of a request if it is signed, and takes its revision for named.
    pub(super) fn take_signed(&self, token: &Token, place: CarriedIn) {
        if let Some(issued) = token.issued {
            let age = unix_seconds(SystemTime::now()).saturating_sub(issued);
            self.cache.counters().token_signed(place, age);
            self.vouch(token);
        }
    }

    /// Takes the revision of a signed token for named. The knowledge is asked only once for each token.
    pub(super) fn vouch(&self, token: &Token) {
        let (Some(issued), Some(signing)) = (token.issued, self.memo.signing()) else {
            return;
        };
        let knowledge = self.cache.knowledge();
        let number = knowledge.history() + 1;
        let vouched_in = &token.notes.vouched_in;
        if vouched_in.load(Ordering::Acquire) != number
            && knowledge.vouch(&token.revision, issued, signing.skew_seconds())
        {
            vouched_in.store(number, Ordering::Release);
        }
    }

    /// A token as a reply's headers and cookies have it: signed, if its revision is named. What a client made up is not.
    pub(super) fn signed(&self, zookie: &Zookie) -> Zookie {
        self.signature(zookie).unwrap_or_else(|| zookie.clone())
    }

    fn signature(&self, zookie: &Zookie) -> Option<Zookie> {
        let signing = self.memo.signing()?;
        let token = self.memo.parse(zookie.as_str()).ok()?;
        let knowledge = self.cache.knowledge();
        let (history, now) = (knowledge.history(), unix_seconds(SystemTime::now()));
        let mut sent = token.notes.signed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sent) = &*sent
            && sent.history == history
            && sent.made == now
        {
            return Some(sent.zookie.clone());
        }
        let signed = signing.sign_issued(&token.zookie, knowledge.named_at(&token.revision)?);
        *sent = Some(Sent {
            zookie: signed.clone(),
            history,
            made: now,
        });
        Some(signed)
    }

    /// A request that is forwarded as it is, with the tokens themselves in place of signed ones. Their signatures have been
    /// judged, or do not matter: without it a token is what any client may send.
    pub(super) fn unwrapped<B>(&self, request: Request<B>) -> Request<B> {
        if !self.verifies() {
            return request;
        }
        let (mut parts, body) = request.into_parts();
        self.carriers
            .replace_each(&mut parts.headers, &mut parts.uri, token_within);
        Request::from_parts(parts, body)
    }
}
