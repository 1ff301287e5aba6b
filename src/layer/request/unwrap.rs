use bytes::Bytes;
use http::request::Parts;

use crate::cache::{CarriedIn, ReadAt};
use crate::consistency::Consistency;
use crate::layer::headers::Headers;
use crate::layer::state::LayerState;
use crate::layer::upstream::set_length;
use crate::protocol::{Call, Key, Kind, Protocol, Received, Rejection, Route};
use crate::token::{holds_envelope, is_enveloped, may_hold_envelope};

impl<P: Protocol> LayerState<P> {
    /// Puts the token itself in place of a signed one in a request's message, because the upstream knows of no signatures. The
    /// token counts as named from then on.
    pub(super) fn unwrap_message(&self, route: Route, parts: &mut Parts, message: Bytes) -> Result<Bytes, Rejection> {
        if !self.verifies() || !may_hold_envelope(&message) {
            return Ok(message);
        }
        let (key, _) = self.key(parts, &Headers::of(&parts.headers));
        let key = Key::new(key, &self.carriers, &parts.uri);
        let Ok(call) = self.protocol.read(route, parts, &message, key) else {
            return match holds_envelope(&message) {
                true => Err(Rejection::SignedUnreadable),
                false => Ok(message),
            };
        };
        let text = call.token.as_deref().and_then(|text| std::str::from_utf8(text).ok());
        let Some(text) = text.filter(|text| is_enveloped(text)) else {
            return Ok(message);
        };
        let token = self.memo.parse_of_request(text).map_err(Rejection::BadToken)?;
        self.take_signed(&token, CarriedIn::Message);
        let at = match call.consistency {
            Some(Consistency::AtExactSnapshot) => ReadAt::Exact(token.revision.clone()),
            _ => ReadAt::AtLeast(token.revision.clone()),
        };
        // Also a page's: what is rewritten is the token alone.
        let call = Call {
            kind: Kind::read(),
            ..call
        };
        let received = Received::new(route, &call, &message);
        let unwrapped = self.protocol.ask(received, &[], &at, Some(&token.zookie));
        let unwrapped = unwrapped.ok_or(Rejection::SignedUnreadable)?;
        set_length(&mut parts.headers, &unwrapped);
        Ok(unwrapped)
    }
}
