use std::error::Error;
use std::fmt;

/// Why a token can't be used, and what to do about it. Never holds the token.
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
        /// The longest that is read.
        max: usize,
    },
    /// The token names more nodes or transactions than are read.
    TooManyEntries {
        /// The most that are read.
        max: usize,
    },
    /// The request bears more tokens than are read.
    TooManyTokens {
        /// The most that are read.
        max: usize,
    },
    /// The token names a revision of another store.
    Foreign,
    /// The token names a revision that the store no longer holds.
    Expired,
}

impl TokenError {
    pub(crate) fn malformed(what: &'static str) -> Self {
        TokenErrorKind::Malformed(what).into()
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

impl From<TokenErrorKind> for TokenError {
    fn from(kind: TokenErrorKind) -> Self {
        Self { kind, source: None }
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            TokenErrorKind::Malformed(what) => {
                write!(f, "malformed zookie: {what}; send the token exactly as the service gave it")
            }
            TokenErrorKind::TooLong { len, max } => {
                write!(f, "zookie of {len} bytes, and at most {max} are read; send one token as the service gave it")
            }
            TokenErrorKind::TooManyEntries { max } => {
                write!(f, "zookie with more than {max} entries, and no more are read; take the one from the next reply")
            }
            TokenErrorKind::TooManyTokens { max } => {
                write!(f, "more than {max} zookies in one request, and no more are read; send the newest of each service")
            }
            TokenErrorKind::Foreign => {
                f.write_str("this zookie belongs to another store; drop it and take the one from the next reply")
            }
            TokenErrorKind::Expired => f.write_str(
                "the snapshot that this zookie names is no longer kept; ask at least as fresh instead, or take a newer zookie",
            ),
        }
    }
}

impl Error for TokenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
