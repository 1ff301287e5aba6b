use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crate::consistency::{Floor, Freshness};
use crate::session::floors::Floors;
use crate::token::{Signing, Token, TokenError, TokenFormat, TokenMemo, Zookie, unix_seconds};

tokio::task_local! {
    static CURRENT: Session;
}

/// The length up to which tokens are read, as a `ZookieLayer` does by default, and the memory in which they are remembered.
const MAX_TOKEN_LEN: usize = 4 << 10;
const MEMO_BYTES: usize = 4 << 20;

/// The tokens of one caller, from its request to its response: what the caller has seen, and what was learned meanwhile.
///
/// It is cheap to clone, and all clones are one session. It never goes back: tokens are joined, and those without a join
/// stand side by side. What a client sent raises the floor of its own session only.
///
/// **At most eight tokens** stand side by side, as many as a request may have. If a ninth has no join with them, the oldest
/// is dropped, and from then on every call of the session is fully consistent. The session's caller is told so: its response
/// says `zookie-consistency: fully-consistent`, and its cookie, if one is set, makes its next request fully consistent.
///
/// [`SessionLayer`](crate::session::SessionLayer) makes one for each request. Without a request, such as in a job, make your
/// own:
///
/// ```
/// use tower_zookie::session::Session;
/// use tower_zookie::token::CounterTokens;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let session = Session::new(CounterTokens::new("example"));
/// session.absorb("42")?;
/// session.absorb("41")?;
/// session
///     .scope(async {
///         // What is called here through a `PropagateLayer` is asked at 42 or later.
///         let tokens = Session::current().unwrap().tokens();
///         assert_eq!(tokens[0].as_str(), "42");
///     })
///     .await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Session(Arc<Shared>);

struct Shared {
    memo: Arc<TokenMemo>,
    floors: Mutex<Floors>,
}

impl Session {
    /// A session without a token, for tokens of this format.
    pub fn new(format: impl TokenFormat) -> Self {
        Self::with(memo(format, None), Floors::default())
    }

    /// A session without a token that also reads [signed](Signing) tokens. It remembers which of its tokens the store named.
    pub fn with_signing(format: impl TokenFormat, signing: Signing) -> Self {
        Self::with(memo(format, Some(signing)), Floors::default())
    }

    pub(super) fn with(memo: Arc<TokenMemo>, floors: Floors) -> Self {
        let floors = Mutex::new(floors);
        Self(Arc::new(Shared { memo, floors }))
    }

    /// The session of this task: of the request that is being served here, or of the [`scope`](Self::scope) around.
    ///
    /// A spawned task has no session of its own accord: put it into the [`scope`](Self::scope) of the one that spawns it.
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Self::clone).ok()
    }

    /// Runs a future under this session.
    ///
    /// ```
    /// # use tower_zookie::session::Session;
    /// # async fn call(_: u32) {}
    /// async fn fan_out(session: Session) {
    ///     let calls: Vec<_> = (0..10).map(|nth| tokio::spawn(session.scope(call(nth)))).collect();
    ///     for call in calls {
    ///         call.await.unwrap();
    ///     }
    /// }
    /// ```
    pub fn scope<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        CURRENT.scope(self.clone(), future)
    }

    /// Runs a function under this session.
    pub(super) fn enter<T>(&self, run: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(self.clone(), run)
    }

    /// Takes the token of a reply to a read into the session.
    ///
    /// # Errors
    ///
    /// If the token can't be read. The session's calls are fully consistent from then on.
    pub fn absorb(&self, token: &str) -> Result<(), TokenError> {
        self.take(token, Floors::add)
    }

    /// Takes the token of a reply to a write into the session. The session's caller then gets a cookie, if cookies are set.
    ///
    /// Where the session's tokens are signed, this one is too: it has to be the one that the store itself returned.
    ///
    /// # Errors
    ///
    /// If the token can't be read. The session's calls are fully consistent from then on.
    pub fn absorb_written(&self, token: &str) -> Result<(), TokenError> {
        self.take(token, |floors, memo, token| {
            floors.add_written(memo, named_now(memo, token))
        })
    }

    /// Takes the token of a reply to what may be a write into the session: whoever replied may only repeat what it was sent.
    pub(super) fn absorb_unsure(&self, token: &str, written: bool) -> Result<(), TokenError> {
        self.take(token, if written { Floors::add_written } else { Floors::add })
    }

    fn take(&self, text: &str, add: fn(&mut Floors, &TokenMemo, Arc<Token>)) -> Result<(), TokenError> {
        match self.0.memo.parse(text) {
            Ok(token) => {
                add(&mut self.floors(), &self.0.memo, token);
                Ok(())
            }
            Err(error) => {
                self.floors().lose();
                Err(error.kind().clone().into())
            }
        }
    }

    /// Makes every call of the session fully consistent from now on.
    pub fn ask_fully_consistent(&self) {
        self.floors().at_head = true;
    }

    /// The tokens that whoever continues the session has to send, all of them. Mostly it is one.
    pub fn tokens(&self) -> Vec<Zookie> {
        self.floors()
            .tokens()
            .iter()
            .map(|token| token.zookie.clone())
            .collect()
    }

    /// What an answer has to satisfy: for a [`DecisionCache`](crate::cache::DecisionCache), which is asked without HTTP.
    pub fn freshness(&self) -> Freshness {
        let floors = self.floors();
        if floors.at_head {
            return Freshness::Full;
        }
        let revisions = floors.tokens().iter().map(|token| token.revision.clone());
        Freshness::at_least(revisions.map(Floor::now).collect::<crate::consistency::Floors>())
    }

    pub(super) fn memo(&self) -> &TokenMemo {
        &self.0.memo
    }

    pub(super) fn floors(&self) -> MutexGuard<'_, Floors> {
        // Each change is complete before anything can panic.
        self.0.floors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("floors", &*self.floors()).finish()
    }
}

/// Reads tokens of this format, and signed ones if there is a key.
pub(super) fn memo(format: impl TokenFormat, signing: Option<Signing>) -> Arc<TokenMemo> {
    let memo = TokenMemo::new(Arc::new(format), MAX_TOKEN_LEN, MEMO_BYTES);
    Arc::new(memo.with_signing(signing))
}

/// The token as one that the store has named just now, if tokens are signed.
fn named_now(memo: &TokenMemo, token: Arc<Token>) -> Arc<Token> {
    if memo.signing().is_none() {
        return token;
    }
    Arc::new(Token {
        issued: Some(unix_seconds(SystemTime::now())),
        ..Token::clone(&token)
    })
}

/// A token as it goes to whoever has the session's key: signed, if the store has named it.
pub(super) fn signed(memo: &TokenMemo, token: &Token) -> Zookie {
    match (memo.signing(), token.issued) {
        (Some(signing), Some(issued)) => signing.sign_issued(&token.zookie, issued),
        _ => token.zookie.clone(),
    }
}
