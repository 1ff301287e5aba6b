use std::sync::Arc;

use crate::cache::{NotStored, ReadMode};
use crate::layer::seen::Seen;
use crate::layer::state::LayerState;
use crate::protocol::{Protocol, ReplyItem};
use crate::token::Token;
use crate::warnings::Warning;

impl<P: Protocol> LayerState<P> {
    /// Warns where a reply to questions shows that the protocol is configured for another service: none had a verdict so far,
    /// or none named a token.
    pub(in crate::layer) fn notice_reply(
        &self,
        items: Option<&[ReplyItem]>,
        failed: bool,
        token: &Result<Arc<Token>, NotStored>,
    ) {
        let Seen {
            token: had_token,
            verdict,
            ..
        } = &self.seen;
        match items {
            Some(_) => verdict.set(),
            None if failed || verdict.is_set() => {}
            None => self.warnings.give(Warning::NoVerdict.name(), || {
                tracing::warn!(
                    "the service's replies succeed, and no verdict was found in any, so nothing is stored; check what is \
                     declared of the reply (`Verdict::json` takes a member or a pointer, `Verdict::status` two statuses), or \
                     whether another system answers here"
                );
            }),
        }
        let capabilities = self.protocol.capabilities();
        let must_name = capabilities.names_revisions && capabilities.read_mode != ReadMode::Exactly;
        match token {
            Ok(_) => had_token.set(),
            Err(NotStored::NoToken) if must_name && items.is_some() && !had_token.is_set() => {
                self.warnings.give(Warning::NoToken.name(), || {
                    tracing::warn!(
                            header = %self.token_header(),
                        "the service names no token in its replies, so nothing is stored; check `reply_token` or the carrier \
                         header, or say with `capabilities` that replies name no revisions"
                    );
                });
            }
            Err(_) => {}
        }
    }
}
