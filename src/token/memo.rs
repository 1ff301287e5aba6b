//! What tokens were read as, so that a token is parsed once and not at every request.

use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use moka::sync::Cache;
use siphasher::sip128::SipHasher24;

use super::{TokenError, TokenErrorKind, TokenFormat, Zookie};
use crate::revision::Revision;

/// A token that could be read.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    /// The text, as it came.
    pub(crate) zookie: Zookie,
    /// What it names.
    pub(crate) revision: Revision,
}

type Read = Result<Arc<Token>, Arc<TokenError>>;

/// Remembers what the tokens of one format were read as, failures too. It never says whether a token is trusted.
///
/// Texts come from outside, so they are found by a hash under a random key, and all that is remembered stays within a
/// number of bytes.
pub(crate) struct TokenMemo {
    format: Arc<dyn TokenFormat>,
    max_len: usize,
    hasher: SipHasher24,
    read: Cache<u128, Read, BuildHasherDefault<Prehashed>>,
}

impl TokenMemo {
    /// A memo that reads tokens of at most `max_len` bytes and takes about `max_bytes` of memory.
    pub(crate) fn new(format: Arc<dyn TokenFormat>, max_len: usize, max_bytes: u64) -> Self {
        Self {
            format,
            max_len,
            hasher: SipHasher24::new_with_key(&rand::random()),
            read: Cache::builder()
                .weigher(|_, read| weight(read))
                .max_capacity(max_bytes)
                .build_with_hasher(BuildHasherDefault::default()),
        }
    }

    /// The format whose tokens this memo reads.
    pub(crate) fn format(&self) -> &dyn TokenFormat {
        &*self.format
    }

    /// The token that `text` is, read now or remembered.
    ///
    /// # Errors
    ///
    /// What [`Zookie::new`] and the format say. A text over the length limit is refused unhashed, and forgotten.
    pub(crate) fn parse(&self, text: &str) -> Result<Arc<Token>, Arc<TokenError>> {
        let (len, max) = (text.len(), self.max_len);
        if len > max {
            return Err(Arc::new(TokenErrorKind::TooLong { len, max }.into()));
        }
        let key = self.hasher.hash(text.as_bytes()).as_u128();
        if let Some(read) = self.read.get(&key) {
            return read;
        }
        let read = self.read(text);
        self.read.insert(key, read.clone());
        read
    }

    fn read(&self, text: &str) -> Read {
        let zookie = Zookie::new(text, self.max_len)?;
        let revision = self.format.decode(text)?;
        Ok(Arc::new(Token { zookie, revision }))
    }
}

impl fmt::Debug for TokenMemo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenMemo")
            .field("format", &self.format)
            .field("max_len", &self.max_len)
            .finish_non_exhaustive()
    }
}

/// An entry without its text and what that was read as: the map's own part, two `Arc`s, a failure and its source.
const ENTRY_BYTES: usize = 512;
/// A clock's entry takes at least 8 bytes of text and about 7 times that in memory; a snapshot's ids take less.
const BYTES_A_TEXT_BYTE: usize = 8;

fn weight(read: &Read) -> u32 {
    let text = read.as_ref().map_or(0, |token| token.zookie.as_str().len());
    u32::try_from(ENTRY_BYTES + text.saturating_mul(BYTES_A_TEXT_BYTE)).unwrap_or(u32::MAX)
}

/// The keys are keyed hashes already: half of one is as good as hashing it again.
#[derive(Default)]
struct Prehashed(u64);

impl Hasher for Prehashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, hash: u128) {
        self.0 = hash as u64;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::token::{CounterTokens, OpaqueTokens};

    /// Counts how often a text is really read.
    #[derive(Debug)]
    struct Counted(CounterTokens, AtomicUsize);

    impl TokenFormat for Arc<Counted> {
        fn decode(&self, text: &str) -> Result<Revision, TokenError> {
            self.1.fetch_add(1, Ordering::Relaxed);
            self.0.decode(text)
        }

        fn encode(&self, revision: &Revision) -> Option<Zookie> {
            self.0.encode(revision)
        }
    }

    fn counted() -> (Arc<Counted>, TokenMemo) {
        let format = Arc::new(Counted(CounterTokens::new("a"), AtomicUsize::new(0)));
        (Arc::clone(&format), TokenMemo::new(Arc::new(format), 32, 1 << 20))
    }

    #[test]
    fn a_token_is_read_once() {
        let (format, memo) = counted();
        let first = memo.parse("42").unwrap();
        assert!(Arc::ptr_eq(&first, &memo.parse("42").unwrap()));
        assert_eq!(
            (first.zookie.as_str(), &first.revision),
            ("42", &format.0.decode("42").unwrap())
        );
        assert_eq!(format.1.load(Ordering::Relaxed), 1);
        assert_eq!(memo.format().encode(&first.revision).as_ref(), Some(&first.zookie));
    }

    #[test]
    fn failures_are_remembered() {
        let (format, memo) = counted();
        let first = memo.parse("x").unwrap_err();
        assert!(Arc::ptr_eq(&first, &memo.parse("x").unwrap_err()));
        assert_eq!(format.1.load(Ordering::Relaxed), 1);
        assert!(memo.parse("").is_err() && memo.parse("4 2").is_err());
        assert_eq!(format.1.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_text_that_is_too_long_is_refused_and_forgotten() {
        let (format, memo) = counted();
        let error = memo.parse(&"1".repeat(33)).unwrap_err();
        assert_eq!(error.kind(), &TokenErrorKind::TooLong { len: 33, max: 32 });
        memo.read.run_pending_tasks();
        assert_eq!((memo.read.entry_count(), format.1.load(Ordering::Relaxed)), (0, 0));
    }

    #[test]
    fn a_flood_stays_within_the_bytes() {
        let max_bytes = 100_000;
        let memo = TokenMemo::new(Arc::new(OpaqueTokens::new("a")), 64, max_bytes);
        for number in 0..2000 {
            memo.parse(&format!("{number:064}")).unwrap();
            memo.parse(&format!("not a token {number}")).unwrap_err();
        }
        memo.read.run_pending_tasks();
        assert!(memo.read.weighted_size() <= max_bytes);
        assert!(memo.read.entry_count() > 0);
    }
}
