use std::error::Error;
use std::fmt;

/// Why a token can't be used, and what to do about it. It never contains the token.
#[derive(Debug)]
pub struct TokenError {
    kind: TokenErrorKind,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// The kinds of [`TokenError`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenErrorKind {
    /// The text is not a token of this format.
    Malformed(&'static str),
    /// The text is longer than this format's tokens can be, in bytes.
    TooLong {
        /// The length of the text.
        len: usize,
        /// The limit, in bytes.
        max: usize,
    },
    /// The token names more nodes or transactions than the limit.
    TooManyEntries {
        /// The limit.
        max: usize,
    },
    /// The request has more tokens than the limit.
    TooManyTokens {
        /// The limit.
        max: usize,
    },
    /// The token names a revision of another store.
    Foreign,
    /// The token names a snapshot that has expired.
    Expired,
    /// The token is signed with a key that is not known here: it was removed, or no key is set.
    UnknownKey,
    /// The token's signature is not one of its key over this token and this time.
    WrongSignature,
    /// The signed token was issued longer ago than allowed.
    TooOld,
    /// The signed token was issued later than it is now.
    FromFuture,
}

impl TokenError {
    pub(crate) fn malformed(what: &'static str) -> Self {
        TokenErrorKind::Malformed(what).into()
    }

    /// For a token in a reply that the configured engine would not issue.
    pub(crate) fn not_issued() -> Self {
        Self::malformed("a service on the configured engine would not issue it")
    }

    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What is wrong with the token.
    pub fn kind(&self) -> &TokenErrorKind {
        &self.kind
    }
}

impl TokenErrorKind {
    /// Whether a signed token can't be used because of its signature. What was signed goes to no upstream as it is.
    pub(crate) fn is_of_signature(&self) -> bool {
        matches!(
            self,
            Self::UnknownKey | Self::WrongSignature | Self::TooOld | Self::FromFuture
        )
    }
}

impl From<TokenErrorKind> for TokenError {
    fn from(kind: TokenErrorKind) -> Self {
        Self { kind, source: None }
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            TokenErrorKind::Malformed(what) => {
                write!(
                    f,
                    "malformed zookie: {what}; send the zookie exactly as the service returned it"
                )
            }
            TokenErrorKind::TooLong { len, max } => {
                write!(
                    f,
                    "the zookie has {len} bytes, more than the limit of {max}; send it exactly as the service returned it"
                )
            }
            TokenErrorKind::TooManyEntries { max } => {
                write!(
                    f,
                    "the zookie has more entries than the limit of {max}; use the zookie of the next reply instead"
                )
            }
            TokenErrorKind::TooManyTokens { max } => {
                write!(
                    f,
                    "the request has more zookies than the limit of {max}; send only the newest one of each service"
                )
            }
            TokenErrorKind::Foreign => f.write_str(
                "the zookie belongs to another store; send the request without it, and use the zookie of the reply",
            ),
            TokenErrorKind::Expired => f.write_str(
                "the snapshot of this zookie has expired; ask for at least as fresh instead, or use a newer zookie",
            ),
            TokenErrorKind::UnknownKey => f.write_str(
                "the zookie is signed with a key that is not known here; send the request without it, and use the zookie of \
                 the reply",
            ),
            TokenErrorKind::WrongSignature => f.write_str(
                "the zookie's signature is wrong; send the zookie exactly as the service returned it, or send the request \
                 without it, and use the zookie of the reply",
            ),
            TokenErrorKind::TooOld => f.write_str(
                "the zookie was issued too long ago; send the request without it, and use the zookie of the reply",
            ),
            TokenErrorKind::FromFuture => f.write_str(
                "the zookie was issued later than it is now; check the clocks of the services that sign zookies",
            ),
        }
    }
}

impl Error for TokenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
