use std::future::poll_fn;
use std::marker::PhantomData;
use std::sync::Arc;

use http::Response;
use tokio::time::Instant;

use crate::cache::{About, Fetch, Item, NotStored, Replied, Turn};
use crate::changes::Question;
use crate::layer::body::{Read, RequestBody, ZookieBody};
use crate::layer::inner::Upstream;
use crate::layer::pending::Pending;
use crate::layer::response::{NoReply, OwnReply, Storable};
use crate::layer::state::LayerState;
use crate::layer::upstream::head::ask_revision;
use crate::layer::upstream::reply::{read_reply, whole};
use crate::layer::upstream::timed::Timed;
use crate::protocol::{Protocol, Received, ReplyItem, ReplyOutcome, StoredResponse};
use crate::revision::Revision;
use crate::token::Token;

/// Which of a request's questions are asked.
#[derive(Clone, Debug)]
pub(super) enum Open {
    TheOnly,
    These(Arc<[usize]>),
}

impl Open {
    fn as_slice(&self) -> &[usize] {
        match self {
            Self::TheOnly => &[0],
            Self::These(these) => these,
        }
    }
}

/// Asks the inner service the open questions of a pending request.
pub(super) struct InnerFetch<S, P, B> {
    state: Arc<LayerState<P>>,
    inner: S,
    pending: Arc<Pending>,
    open: Open,
    body: PhantomData<fn() -> B>,
}

impl<S, P, B> InnerFetch<S, P, B> {
    pub(super) fn new(state: &Arc<LayerState<P>>, inner: S, pending: &Arc<Pending>, open: Open) -> Self {
        Self {
            state: Arc::clone(state),
            inner,
            pending: Arc::clone(pending),
            open,
            body: PhantomData,
        }
    }
}

impl<S: Clone, P, B> Clone for InnerFetch<S, P, B> {
    fn clone(&self) -> Self {
        Self {
            state: Arc::clone(&self.state),
            inner: self.inner.clone(),
            pending: Arc::clone(&self.pending),
            open: self.open.clone(),
            body: PhantomData,
        }
    }
}

impl<S, P, B> Fetch<StoredResponse> for InnerFetch<S, P, B>
where
    S: Upstream<B>,
    P: Protocol,
    B: RequestBody,
{
    type Own = Result<OwnReply<S::ResBody>, NoReply<S::Error>>;

    async fn ask(self, turn: Turn<StoredResponse>) -> Replied<StoredResponse, Self::Own> {
        let Self {
            state,
            mut inner,
            pending,
            open,
            ..
        } = self;
        if let Err(error) = poll_fn(|cx| inner.poll_ready(cx)).await {
            let own = Err(NoReply::Inner(error));
            return Replied::Failed { own };
        }
        let open = open.as_slice();
        let Some(request) = state.request(&pending, open, &turn.ask, turn.shared) else {
            let own = Err(NoReply::Unspellable);
            return Replied::RevisionRejected { own };
        };
        turn.begin();
        let timed = Timed::begin(&state.cache);
        let replied = inner.call(request).await;
        drop(inner);
        let (parts, body) = match replied {
            Ok(response) => response.into_parts(),
            Err(error) => {
                timed.failed();
                let own = Err(NoReply::Inner(error));
                return Replied::Failed { own };
            }
        };
        let (body, trailers) = match read_reply(body, state.settings.max_reply_body).await {
            Read::Whole { message, trailers, .. } => (message, trailers),
            Read::Unread(replay) => {
                let failed = timed.replied(&parts, None);
                let why = match failed || replay.is_broken() {
                    true => NotStored::ErrorStatus,
                    false => NotStored::TooLarge,
                };
                let token = state.reply_token(&parts.headers, None);
                let response = Response::from_parts(parts, ZookieBody::replayed(replay));
                let own = Ok(OwnReply { response, token });
                return Replied::Unshared { own, why };
            }
        };
        let failed = timed.replied(&parts, trailers.as_ref());
        let reply = whole(&parts, &body, trailers.as_ref());
        let outcome = state.protocol.learn(pending.received(), open, &reply);
        let rejected = matches!(outcome, ReplyOutcome::RevisionRejected);
        let (items, in_message) = match outcome {
            ReplyOutcome::Answers { items, token } => (Some(items), token),
            _ => (None, None),
        };
        let token = match state.read_token(&parts.headers, in_message.as_deref()) {
            Some(read) => read.map_err(|_| NotStored::UnreadableToken),
            None => Err(NotStored::NoToken),
        };
        state.notice_reply(items.as_deref(), failed, &token);
        let revision = token.as_ref().map(|token| token.revision.clone()).map_err(|why| *why);
        let token = token.ok();
        let items = items.map(|items| {
            let storable = Storable::of(&pending.parts.headers, &parts.headers);
            state.items(items, open, storable, token.as_deref(), &turn, &pending)
        });
        let response = Response::from_parts(parts, ZookieBody::whole(body, trailers));
        let own = Ok(OwnReply { response, token });
        match items {
            Some(items) => Replied::Answered { own, items, revision },
            None if rejected => Replied::RevisionRejected { own },
            None => {
                let why = if failed {
                    NotStored::ErrorStatus
                } else {
                    NotStored::NoVerdict
                };
                Replied::Unshared { own, why }
            }
        }
    }

    fn can_probe(&self) -> bool {
        self.state.protocol.can_probe()
    }

    async fn probe(self, turn: Turn<StoredResponse>) -> Option<Revision> {
        let Self {
            state,
            mut inner,
            pending,
            ..
        } = self;
        let request = state.head_probe(pending.route, &pending.parts)?;
        ask_revision::<S, P, B>(&state, &mut inner, request, || turn.begin()).await
    }

    async fn read_head(self, turn: Turn<StoredResponse>) -> Option<Revision> {
        let Self {
            state,
            mut inner,
            pending,
            ..
        } = self;
        let request = state.head_read(pending.route, &pending.parts)?;
        ask_revision::<S, P, B>(&state, &mut inner, request, || turn.begin()).await
    }
}

impl<P: Protocol> LayerState<P> {
    /// The answers of a reply as the cache takes them.
    fn items(
        &self,
        items: Vec<ReplyItem>,
        open: &[usize],
        storable: Storable,
        token: Option<&Token>,
        turn: &Turn<StoredResponse>,
        pending: &Pending,
    ) -> Vec<Item<StoredResponse>> {
        if items.iter().any(|item| item.store) {
            self.count_storable(storable);
        }
        let zookie = match token {
            Some(token) => Some(token.zookie.clone()),
            None => {
                let asked_at = turn.ask.revision().filter(|_| turn.shared);
                asked_at.and_then(|revision| self.memo.format().encode(revision))
            }
        };
        let credential_lives = pending
            .credential_ends
            .map(|ends| ends.saturating_duration_since(Instant::now()));
        let window_lives = pending.call.unpinned.then(|| self.cache.bound());
        let lives = [storable.lifetime(), credential_lives, window_lives];
        let mut asked = self.asked(pending, open).into_iter();
        let items = items.into_iter().map(|item| Item {
            value: StoredResponse {
                zookie: zookie.clone(),
                route: Some(pending.route),
                ..item.response
            },
            not_stored: match (item.store, storable) {
                (false, _) => Some(NotStored::NoVerdict),
                (true, Storable::Never) => Some(NotStored::NoStore),
                (true, _) => None,
            },
            expires_in: lives.into_iter().chain([item.expires_in]).flatten().min(),
            about: About {
                question: asked.next().flatten(),
                verdict: item.verdict,
            },
        });
        items.collect()
    }

    /// What the open questions ask, by names. It is of use only where a feed is followed.
    fn asked(&self, pending: &Pending, open: &[usize]) -> Vec<Option<Question>> {
        if !self.cache.follows() {
            return Vec::new();
        }
        let mut all = Vec::new();
        let received = Received::new(pending.route, &pending.call, &pending.message);
        self.protocol
            .questions(received, &pending.parts, &mut |question| all.push(question));
        open.iter().map(|index| all.get_mut(*index)?.take()).collect()
    }

    /// Counts where a reply's own headers shorten the life of its answers.
    fn count_storable(&self, storable: Storable) {
        match storable {
            Storable::Never => self.cache.counters().not_stored_by_reply(),
            Storable::For(lifetime) if lifetime < self.cache.time_to_live() => self.cache.counters().kept_shorter(),
            Storable::For(_) | Storable::Unsaid => {}
        }
    }
}
