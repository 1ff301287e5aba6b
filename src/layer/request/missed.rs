use bytes::Bytes;
use http::request::Parts;

use crate::cache::{Fingerprint, Miss};
use crate::layer::headers::Headers;
use crate::layer::request::key::Caller;
use crate::layer::state::LayerState;
use crate::protocol::{Key, Kind, Protocol, Route};

impl<P: Protocol> LayerState<P> {
    /// Says of each question that seems new whether its answer is stored for another credential.
    pub(super) fn note_askers<'a>(
        &self,
        route: Route,
        parts: &Parts,
        message: &Bytes,
        caller: &Caller,
        questions: &[Fingerprint],
        misses: impl Iterator<Item = Option<&'a mut Miss>>,
    ) {
        if !caller.has_credential(&self.key_prefix) {
            return;
        }
        let mut without = None;
        for (index, miss) in misses.enumerate() {
            let Some(miss) = miss.filter(|miss| **miss == Miss::First) else {
                continue;
            };
            let without = without.get_or_insert_with(|| self.without_credential(route, parts, message));
            if let (Some(bare), Some(question)) = (without.get(index), questions.get(index))
                && self.cache.is_stored_for_another(*bare, *question)
            {
                *miss = Miss::OtherCredential;
            }
        }
    }

    /// The questions of a request as they would be without its credential.
    fn without_credential(&self, route: Route, parts: &Parts, message: &Bytes) -> Vec<Fingerprint> {
        let mut base = self.key_prefix.clone();
        self.add_endpoint(parts, &Headers::of(&parts.headers), &mut base);
        let key = Key::new(base, &self.carriers, &parts.uri);
        match self.protocol.read(route, parts, message, key).map(|call| call.kind) {
            Ok(Kind::Check(question)) => vec![question],
            Ok(Kind::Bulk(questions)) => questions,
            _ => Vec::new(),
        }
    }
}
