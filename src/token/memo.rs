//! A memo of parsed tokens, so that a token is not parsed again at every request.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use siphasher::sip::SipHasher13;

use crate::revision::Revision;
use crate::shards::Shards;
use crate::token::error::{TokenError, TokenErrorKind};
use crate::token::format::TokenFormat;
use crate::token::signed::{Signing, is_enveloped, unix_seconds};
use crate::token::zookie::Zookie;

/// A valid token.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    /// The token's own text, without a signature.
    pub(crate) zookie: Zookie,
    /// The revision that it names.
    pub(crate) revision: Revision,
    /// Whether it has more than that: see [`TokenFormat::has_more_than_revision`].
    pub(crate) has_more_than_revision: bool,
    /// When it was issued, in seconds since 1970, if it is signed and the signature is right. Its age may be too great.
    pub(crate) issued: Option<u64>,
    pub(crate) notes: Notes,
}

impl Token {
    /// A token without a signature.
    pub(crate) fn new(zookie: Zookie, revision: Revision) -> Self {
        Self {
            zookie,
            revision,
            has_more_than_revision: false,
            issued: None,
            notes: Notes::default(),
        }
    }
}

/// What a layer notes of a token that it meets again and again.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// The number of the store's history in which a signed token was last taken for named, plus one.
    pub(crate) vouched_in: AtomicU64,
    /// The token with a signature, as it was last sent.
    pub(crate) signed: Mutex<Option<Sent>>,
}

/// A signed token that was sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) zookie: Zookie,
    pub(crate) history: u64,
    /// When it was made, in seconds since 1970.
    pub(crate) made: u64,
}

/// A copy of a token is met for the first time.
impl Clone for Notes {
    fn clone(&self) -> Self {
        Self::default()
    }
}

type Read = Result<Arc<Token>, Arc<TokenError>>;

/// Remembers the parsed tokens of one format, and the errors of invalid ones. It does not know whether a revision is
/// named.
///
/// Each thread has a memo of its own, because threads that count references to the same token would contend; no thread
/// ever waits for another one. The texts are untrusted. So the memo compares the whole text, chooses the bucket by a
/// hash with a random key, and limits its memory.
pub(crate) struct TokenMemo {
    format: Arc<dyn TokenFormat>,
    max_len: usize,
    signing: Option<Signing>,
    hasher: SipHasher13,
    buckets: Shards<Mutex<Vec<Bucket>>>,
}

impl TokenMemo {
    /// A memo that reads tokens of at most `max_len` bytes and takes about `max_bytes` of memory.
    pub(crate) fn new(format: Arc<dyn TokenFormat>, max_len: usize, max_bytes: usize) -> Self {
        let bytes_per_thread = max_bytes / Shards::<()>::count();
        let buckets = (bytes_per_thread / BYTES_PER_BUCKET).max(1);
        let bucket = || Bucket::new(bytes_per_thread / buckets);
        Self {
            format,
            max_len,
            signing: None,
            hasher: SipHasher13::new_with_key(&rand::random()),
            buckets: Shards::new(|| Mutex::new((0..buckets).map(|_| bucket()).collect())),
        }
    }

    /// Reads signed tokens too.
    pub(crate) fn with_signing(mut self, signing: Option<Signing>) -> Self {
        self.signing = signing;
        self
    }

    /// How tokens are signed and verified, if they are.
    pub(crate) fn signing(&self) -> Option<&Signing> {
        self.signing.as_ref()
    }

    /// The format whose tokens this memo reads.
    pub(crate) fn format(&self) -> &dyn TokenFormat {
        &*self.format
    }

    /// The token of a revision, if the format has one and this memo would read it.
    pub(crate) fn spell(&self, revision: &Revision) -> Option<Zookie> {
        self.format
            .encode(revision)
            .filter(|zookie| zookie.as_str().len() <= self.max_len)
    }

    /// The token with this text in a request: a signed one may not be too old.
    ///
    /// # Errors
    ///
    /// As for [`parse`](Self::parse), and those of the age.
    pub(crate) fn parse_of_request(&self, text: &str) -> Result<Arc<Token>, TokenErrorKind> {
        let token = self.parse(text).map_err(|error| error.kind().clone())?;
        if let (Some(issued), Some(signing)) = (token.issued, &self.signing) {
            signing.check_age(issued, unix_seconds(SystemTime::now()))?;
        }
        Ok(token)
    }

    /// The token with this text, parsed now or remembered. A signed one may have any age.
    ///
    /// # Errors
    ///
    /// The errors of [`Zookie::new`] and of the format. A text over the length limit is rejected before it is hashed,
    /// and is not remembered.
    pub(crate) fn parse(&self, text: &str) -> Result<Arc<Token>, Arc<TokenError>> {
        let (len, max) = (text.len(), self.max_len);
        let max_here = match is_enveloped(text) {
            true => max + Signing::most_added(),
            false => max,
        };
        if len > max_here {
            return Err(Arc::new(TokenErrorKind::TooLong { len, max }.into()));
        }
        let hash = self.hasher.hash(text.as_bytes());
        if let Some(Some(read)) = self.with_bucket(hash, |bucket| bucket.find(hash, text)) {
            return read;
        }
        let read = self.read(text);
        self.with_bucket(hash, |bucket| bucket.put(hash, text, &read));
        read
    }

    /// Returns `None`, without waiting, if another thread that shares these buckets holds their lock. Formats parse
    /// without the lock.
    fn with_bucket<R>(&self, hash: u64, work: impl FnOnce(&mut Bucket) -> R) -> Option<R> {
        let mut buckets = self.buckets.mine().try_lock().ok()?;
        let place = hash % buckets.len() as u64;
        Some(work(&mut buckets[place as usize]))
    }

    fn read(&self, text: &str) -> Read {
        let (text, issued) = match (is_enveloped(text), &self.signing) {
            (false, _) => (text, None),
            (true, None) => return Err(Arc::new(TokenErrorKind::UnknownKey.into())),
            (true, Some(signing)) => {
                let opened = signing.open(text)?;
                (opened.token, Some(opened.issued))
            }
        };
        let zookie = Zookie::new(text, self.max_len)?;
        let revision = self.format.decode(text)?;
        let has_more_than_revision = self.format.has_more_than_revision(text);
        Ok(Arc::new(Token {
            has_more_than_revision,
            issued,
            ..Token::new(zookie, revision)
        }))
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

/// Room for one token of the default maximum length, or for about twenty usual tokens.
const BYTES_PER_BUCKET: usize = 40 << 10;

/// A few texts: few enough to compare every hash.
#[derive(Debug)]
struct Bucket {
    remembered: Vec<Entry>,
    bytes: usize,
    max_bytes: usize,
}

#[derive(Debug)]
struct Entry {
    hash: u64,
    text: Box<str>,
    read: Read,
    /// How often it was found, halved whenever another entry is removed.
    found: u8,
}

impl Bucket {
    fn new(max_bytes: usize) -> Self {
        Self {
            remembered: Vec::new(),
            bytes: 0,
            max_bytes,
        }
    }

    fn find(&mut self, hash: u64, text: &str) -> Option<Read> {
        let mut same = self.remembered.iter_mut();
        let found = same.find(|remembered| remembered.hash == hash && *remembered.text == *text)?;
        found.found = found.found.saturating_add(1);
        Some(found.read.clone())
    }

    /// Adds a text. It makes room by removing the entries that were found least often, so that a flood of new texts
    /// removes other new texts first.
    fn put(&mut self, hash: u64, text: &str, read: &Read) {
        let bytes = bytes(text);
        if bytes > self.max_bytes {
            return;
        }
        while self.bytes + bytes > self.max_bytes {
            let least = (0..self.remembered.len()).min_by_key(|&index| self.remembered[index].found);
            let Some(least) = least else { return };
            let gone = self.remembered.swap_remove(least);
            self.bytes -= self::bytes(&gone.text);
            self.remembered.iter_mut().for_each(|other| other.found /= 2);
        }
        self.bytes += bytes;
        self.remembered.push(Entry {
            hash,
            text: text.into(),
            read: read.clone(),
            found: 0,
        });
    }
}

/// The memory for a text: its entry, two `Arc`s or an error with its source, and the parsed revision. A clock's entry
/// takes at least 8 bytes of text and about 7 times that in memory; a snapshot's ids take less.
fn bytes(text: &str) -> usize {
    const EACH: usize = 512;
    const PER_TEXT_BYTE: usize = 9;
    EACH + text.len() * PER_TEXT_BYTE
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::token::counter::CounterTokens;
    use crate::token::opaque::OpaqueTokens;

    /// Counts how often the format parses a text.
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
    fn an_overlong_text_is_rejected_and_not_remembered() {
        let (format, memo) = counted();
        let error = memo.parse(&"1".repeat(33)).unwrap_err();
        assert_eq!(error.kind(), &TokenErrorKind::TooLong { len: 33, max: 32 });
        assert_eq!((held(&memo), format.1.load(Ordering::Relaxed)), ((0, 0), 0));
    }

    #[test]
    fn a_flood_stays_within_the_bytes() {
        let max_bytes = 100_000;
        let memo = TokenMemo::new(Arc::new(OpaqueTokens::new("a")), 64, max_bytes);
        for number in 0..2000 {
            memo.parse(&format!("{number:064}")).unwrap();
            memo.parse(&format!("not a token {number}")).unwrap_err();
        }
        let (count, bytes) = held(&memo);
        assert!(bytes <= max_bytes && count > 0, "{count} in {bytes} bytes");
    }

    #[test]
    fn a_flood_does_not_evict_tokens_in_use() {
        let (format, memo) = counted();
        let used = memo.parse("42").unwrap();
        for number in 1000..9000 {
            memo.parse("42").unwrap();
            memo.parse(&number.to_string()).unwrap();
        }
        assert!(Arc::ptr_eq(&used, &memo.parse("42").unwrap()));
        assert_eq!(format.1.load(Ordering::Relaxed), 8001);
    }

    #[test]
    fn each_thread_has_its_own_memo() {
        let (_, memo) = counted();
        let here = memo.parse("42").unwrap();
        let there = std::thread::scope(|scope| scope.spawn(|| memo.parse("42").unwrap()).join().unwrap());
        assert_eq!((&here.zookie, &here.revision), (&there.zookie, &there.revision));
        assert!(Arc::ptr_eq(&here, &memo.parse("42").unwrap()));
    }

    #[test]
    fn a_text_too_long_for_the_memo_is_read_every_time() {
        let memo = TokenMemo::new(Arc::new(OpaqueTokens::new("a")), 4096, 4096);
        assert!(memo.parse(&"1".repeat(4096)).is_ok() && memo.parse(&"1".repeat(4096)).is_ok());
        assert_eq!(held(&memo), (0, 0));
    }

    /// How many texts are remembered, and their memory.
    fn held(memo: &TokenMemo) -> (usize, usize) {
        memo.buckets.iter().fold((0, 0), |(count, all), buckets| {
            let buckets = buckets.lock().unwrap();
            let texts = buckets.iter().flat_map(|bucket| &bucket.remembered);
            let here: Vec<usize> = texts.map(|remembered| bytes(&remembered.text)).collect();
            assert_eq!(
                here.iter().sum::<usize>(),
                buckets.iter().map(|bucket| bucket.bytes).sum::<usize>()
            );
            (count + here.len(), all + here.iter().sum::<usize>())
        })
    }
}
