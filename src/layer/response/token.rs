use std::sync::Arc;

use http::{HeaderMap, HeaderName};

use crate::layer::state::LayerState;
use crate::protocol::Protocol;
use crate::token::{Carrier, Token, TokenError, readers};
use crate::warnings::Warning;

impl<P: Protocol> LayerState<P> {
    /// The header in which the inner service finds its token.
    pub(in crate::layer) fn token_header(&self) -> HeaderName {
        let header = self.carriers.places().iter().find_map(|place| match place {
            Carrier::Header(name) => Some(name.clone()),
            _ => None,
        });
        header.unwrap_or(HeaderName::from_static("zookie"))
    }

    /// The token of a reply, in its message or in a header. A token that can't be read does not count: the answer then claims no
    /// revision, and satisfies no floor.
    pub(in crate::layer) fn reply_token(&self, headers: &HeaderMap, message_token: Option<&str>) -> Option<Arc<Token>> {
        self.read_token(headers, message_token).and_then(Result::ok)
    }

    /// The token of a reply, or why it can't be read. `None`: the reply has no token.
    pub(in crate::layer) fn read_token(
        &self,
        headers: &HeaderMap,
        message_token: Option<&str>,
    ) -> Option<Result<Arc<Token>, Arc<TokenError>>> {
        let header = headers.get(self.token_header()).and_then(|value| value.to_str().ok());
        let text = message_token.or(header)?;
        let read = match self.memo.parse(text) {
            Ok(token) if !self.memo.format().issues(token.zookie.as_str()) => Err(Arc::new(TokenError::not_issued())),
            read => read,
        };
        if let Ok(token) = &read {
            // Another layer in between, or a service that signs by itself, vouches for it.
            self.vouch(token);
        }
        if let Err(error) = &read {
            self.warn_of_token(text, error);
        }
        Some(read)
    }

    /// Warns of a token of the service itself that the configured format can't read.
    fn warn_of_token(&self, text: &str, error: &TokenError) {
        let readers = readers(text);
        if readers.is_empty() {
            self.warnings.give(Warning::UnreadableToken.name(), || {
                tracing::warn!(
                    error = error as &dyn std::error::Error,
                    "the service's own token can't be read, so nothing is stored; check the token format (SpiceDB's and \
                     Permify's: `engine`), the field or header that holds the token, and `max_token_len`"
                );
            });
            return;
        }
        self.warnings.give(Warning::OtherEngine.name(), || {
            let engines: Vec<_> = readers
                .iter()
                .map(|(system, engine)| format!("{system}'s `{engine}`"))
                .collect();
            tracing::warn!(
                configured = ?self.memo.format(),
                could_read = engines.join(", "),
                "the service's own token can't be read by the configured `engine`, so nothing is stored; configure the \
                 engine that can"
            );
        });
    }
}
