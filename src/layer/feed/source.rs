use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderMap;

use crate::layer::handle::Handle;
use crate::protocol::{FeedFailure, FeedProtocol, FeedWire, Protocol};
use crate::revision::Revision;
use crate::token::Zookie;

/// Which feed it is, and how it is asked for.
#[derive(Debug)]
pub(super) struct Source<P> {
    pub(super) layer: Handle<P>,
    pub(super) tenant: Box<str>,
    pub(super) wire: FeedWire,
    /// What each call has beside what the protocol says, such as credentials.
    pub(super) headers: HeaderMap,
    /// The newest revision that was reported, where no checkpoint says how far the feed is complete: it goes on there.
    pub(super) reported: Arc<Mutex<Option<Revision>>>,
}

impl<P> Clone for Source<P> {
    fn clone(&self) -> Self {
        Self {
            layer: self.layer.clone(),
            tenant: self.tenant.clone(),
            wire: self.wire,
            headers: self.headers.clone(),
            reported: Arc::clone(&self.reported),
        }
    }
}

impl<P: Protocol> Source<P> {
    /// What the protocol says of the feed.
    pub(super) fn api(&self) -> Result<&dyn FeedProtocol, FeedFailure> {
        let api = self.layer.0.protocol.feed(self.wire);
        api.ok_or(FeedFailure::interrupted("the API has no change feed over this wire"))
    }

    /// The revision of a token of the store. The memo is for the tokens of requests.
    pub(super) fn read(&self, token: &str) -> Result<Revision, FeedFailure> {
        let read = self.layer.0.memo.format().decode(token);
        read.map_err(|_| FeedFailure::lost("a token of the feed can't be read: check the engine"))
    }

    pub(super) fn spell(&self, revision: &Revision) -> Option<Zookie> {
        self.layer.0.memo.format().encode(revision)
    }

    pub(super) fn longest_message(&self) -> usize {
        self.layer.0.settings.max_reply_body
    }

    pub(super) fn note_reported(&self, at: &Revision) {
        *self.reported.lock().unwrap_or_else(PoisonError::into_inner) = Some(at.clone());
    }

    /// Where to go on after `from`: where the feed has reported more, and nothing says how far it is complete, after that.
    pub(super) fn resume(&self, from: Revision) -> Revision {
        let reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner).clone();
        reported
            .filter(|reported| reported.store() == from.store())
            .unwrap_or(from)
    }
}
