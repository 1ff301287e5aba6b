use std::sync::Arc;

use http::{HeaderMap, HeaderName};

use crate::layer::state::LayerState;
use crate::protocol::Protocol;
use crate::token::{Carrier, Token, TokenError};

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
        Some(self.memo.parse(message_token.or(header)?))
    }
}
