use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use http::request::Parts;

use crate::cache::{Fingerprint, Miss, Named, Trace};
use crate::layer::headers::Headers;
use crate::layer::request::key::Caller;
use crate::layer::state::LayerState;
use crate::protocol::{Key, Kind, Protocol, Route};
use crate::warnings::Warning;

/// So many checks without a token, and none with one, are no accident.
const MANY_WITHOUT_TOKEN: u64 = 32;

/// Of so many new questions each key is looked at, and then of each thirty-second: it costs as much as reading the request
/// again.
const FIRST_KEYS: u64 = 128;
const EACH_KEY: u64 = 32;

/// A request whose questions the cache could not answer, or not all.
#[derive(Clone, Copy)]
pub(super) struct Missed<'a> {
    pub(super) route: Route,
    pub(super) parts: &'a Parts,
    pub(super) message: &'a Bytes,
    pub(super) caller: &'a Caller,
}

impl<P: Protocol> LayerState<P> {
    /// Says of each question that seems new whether its answer is stored for another credential, and warns where the misses
    /// show that hardly anything can be a hit.
    pub(super) fn note_misses<'a>(
        &self,
        missed: Missed<'_>,
        questions: &[Fingerprint],
        misses: impl Iterator<Item = Option<&'a mut Miss>>,
    ) {
        let (mut without, mut is_new) = (None, false);
        for (index, miss) in misses.enumerate() {
            match miss {
                Some(Miss::WithoutToken) => self.note_without_token(),
                Some(miss @ Miss::First) => {
                    is_new = true;
                    self.seen.with_token.set();
                    let without = without.get_or_insert_with(|| self.without_credential(missed, questions));
                    if let (Some(bare), Some(question)) = (without.get(index), questions.get(index))
                        && self.cache.is_stored_for_another(*bare, *question)
                    {
                        *miss = Miss::OtherCredential;
                    }
                }
                Some(_) => self.seen.with_token.set(),
                None => {}
            }
        }
        if is_new && questions.len() == 1 {
            self.look_for_changes(missed);
        }
    }

    /// The questions of a request as they would be without its credential.
    fn without_credential(&self, missed: Missed<'_>, questions: &[Fingerprint]) -> Vec<Fingerprint> {
        let Missed {
            route,
            parts,
            message,
            caller,
        } = missed;
        if self.credentials.callers_share || !caller.has_credential(&self.key_prefix) {
            return questions.to_vec();
        }
        let mut base = self.key_prefix.clone();
        self.add_endpoint(parts, &Headers::of(&parts.headers), &mut base);
        let key = Key::new(base, &self.carriers, &parts.uri);
        match self.protocol.read(route, parts, message, key).map(|call| call.kind) {
            Ok(Kind::Check(question)) => vec![question],
            Ok(Kind::Bulk(questions)) => questions,
            _ => Vec::new(),
        }
    }

    /// The names of what is in the key of a request, each with a hash of its values.
    pub(in crate::layer) fn key_parts(
        &self,
        route: Route,
        parts: &Parts,
        message: &Bytes,
    ) -> Vec<(Named, String, u64)> {
        let trace = Arc::new(Trace::new());
        let (base, _) = self.key_of(
            self.key_prefix.clone().traced(&trace),
            parts,
            &Headers::of(&parts.headers),
        );
        let key = Key::new(base, &self.carriers, &parts.uri);
        // What can't be read has no key, and a trace of what was read.
        drop(self.protocol.read(route, parts, message, key));
        trace.parts()
    }

    fn look_for_changes(&self, missed: Missed<'_>) {
        let count = self.seen.keys.fetch_add(1, Relaxed);
        if count >= FIRST_KEYS && !count.is_multiple_of(EACH_KEY) {
            return;
        }
        let parts = self.key_parts(missed.route, missed.parts, missed.message);
        let Some((named, name)) = self.seen.changing.note(&parts) else {
            return;
        };
        self.warnings.give(Warning::ChangingKey.name(), || {
            let (what, cure) = match named {
                Named::Context => (
                    "member of the context",
                    "leave it out of the context, or send a value that stays the same for a while",
                ),
                Named::Cookie => (
                    "cookie",
                    "cookies are credentials here; name what identifies the caller instead, see `identity_instead_of`",
                ),
                Named::Credential => (
                    "credential",
                    "if it is renewed with each request, name what identifies the caller instead, see `identity_instead_of`; if the answer \
                     does not depend on the caller, see `callers_share`",
                ),
                _ => (
                    "header",
                    "take it out of `key_headers` if the answer does not depend on it, or send it unchanged",
                ),
            };
            tracing::warn!(
                what,
                name,
                "equal questions share no answer, because this part of the key has another value in each request; {cure}"
            );
        });
    }

    fn note_without_token(&self) {
        let count = self.seen.without_token.fetch_add(1, Relaxed) + 1;
        if self.seen.with_token.is_set() || !count.is_multiple_of(MANY_WITHOUT_TOKEN) {
            return;
        }
        self.warnings.give(Warning::ChecksWithoutToken.name(), || {
            tracing::warn!(
                checks = count,
                "all checks come without a snap token, and Permify reads each of them at head, so none is answered from the \
                 cache; let callers send the token of their last write, or set `window_reads_without_token` (sidecar: \
                 `--window-reads-without-token`)"
            );
        });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tower_zookie_testing::wire::Recording;

    use super::*;
    use crate::ZookieLayer;
    use crate::protocol::{permify, spicedb};

    type Parts = Vec<(Named, String, u64)>;

    /// The question of each recorded check, what its key has in it, and the bytes of its message in order.
    fn questions<P: Protocol>(layer: &ZookieLayer<P>, recording: &str) -> HashMap<Fingerprint, (Parts, Vec<u8>)> {
        let state = &layer.handle().0;
        let mut questions = HashMap::new();
        for call in &Recording::load(recording).calls {
            let (parts, message) = call.request.clone().into_parts();
            let claim = state.protocol.claim(&parts.method, &parts.uri, &parts.headers);
            let crate::protocol::Claim::Body(route) = claim else {
                continue;
            };
            let (key, _) = state.key(&parts, &Headers::of(&parts.headers));
            let key = Key::new(key, &state.carriers, &parts.uri);
            let read = state.protocol.read(route, &parts, &message, key);
            if let Ok(Kind::Check(question)) = read.map(|call| call.kind) {
                let mut bytes = message.to_vec();
                bytes.sort_unstable();
                questions.insert(question, (state.key_parts(route, &parts, &message), bytes));
            }
        }
        questions
    }

    #[test]
    fn rule_17_questions_that_differ_differ_in_a_named_part() {
        for questions in [
            questions(
                &ZookieLayer::spicedb(spicedb::Engine::Postgres),
                "spicedb/grpc-postgres",
            ),
            questions(
                &ZookieLayer::spicedb(spicedb::Engine::Postgres),
                "spicedb/http-postgres",
            ),
            questions(
                &ZookieLayer::permify(permify::Engine::Postgres),
                "permify/grpc-postgres",
            ),
            questions(
                &ZookieLayer::permify(permify::Engine::Postgres),
                "permify/http-postgres",
            ),
        ] {
            assert!(questions.len() > 4, "{}", questions.len());
            let mut known: HashMap<&Parts, &[u8]> = HashMap::new();
            for (parts, bytes) in questions.values() {
                // The same fields in another order are another question over gRPC.
                let twin = known.insert(parts, bytes).filter(|twin| twin != bytes);
                assert!(
                    twin.is_none(),
                    "two questions have the same names and values: {parts:?}"
                );
            }
        }
    }
}
