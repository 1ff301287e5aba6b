//! What tokens were read as, so that a token is parsed once and not at every request.

use std::fmt;
use std::sync::{Arc, Mutex};

use siphasher::sip::SipHasher13;

use crate::revision::Revision;
use crate::shards::Shards;
use crate::token::error::{TokenError, TokenErrorKind};
use crate::token::format::TokenFormat;
use crate::token::zookie::Zookie;

/// A token that could be read.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    /// The text.
    pub(crate) zookie: Zookie,
    /// What it names.
    pub(crate) revision: Revision,
    /// It says more than that: see [`TokenFormat::says_more`].
    pub(crate) says_more: bool,
}

type Read = Result<Arc<Token>, Arc<TokenError>>;

/// Remembers what the tokens of one format were read as, failures too. It never says whether a revision is named.
///
/// Each thread remembers for itself, because threads that count references to one token get in each other's way; none
/// ever waits for another. Texts come from outside: they are found by their whole text, in a place chosen by a hash
/// under a random key, and all that is remembered stays within a number of bytes.
pub(crate) struct TokenMemo {
    format: Arc<dyn TokenFormat>,
    max_len: usize,
    hasher: SipHasher13,
    shelves: Shards<Mutex<Vec<Shelf>>>,
}

impl TokenMemo {
    /// A memo that reads tokens of at most `max_len` bytes and takes about `max_bytes` of memory.
    pub(crate) fn new(format: Arc<dyn TokenFormat>, max_len: usize, max_bytes: u64) -> Self {
        let bytes_a_thread = usize::try_from(max_bytes).unwrap_or(usize::MAX) / Shards::<()>::count();
        let shelves = (bytes_a_thread / BYTES_A_SHELF).max(1);
        let shelf = || Shelf::new(bytes_a_thread / shelves);
        Self {
            format,
            max_len,
            hasher: SipHasher13::new_with_key(&rand::random()),
            shelves: Shards::new(|| Mutex::new((0..shelves).map(|_| shelf()).collect())),
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
    /// What [`Zookie::new`] and the format say. A text over the length limit is rejected unhashed, and forgotten.
    pub(crate) fn parse(&self, text: &str) -> Result<Arc<Token>, Arc<TokenError>> {
        let (len, max) = (text.len(), self.max_len);
        if len > max {
            return Err(Arc::new(TokenErrorKind::TooLong { len, max }.into()));
        }
        let hash = self.hasher.hash(text.as_bytes());
        if let Some(Some(read)) = self.with_shelf(hash, |shelf| shelf.find(hash, text)) {
            return read;
        }
        let read = self.read(text);
        self.with_shelf(hash, |shelf| shelf.put(hash, text, &read));
        read
    }

    /// `None` where another thread that shares this one's shelves is at work there: nobody waits. Formats read outside.
    fn with_shelf<R>(&self, hash: u64, work: impl FnOnce(&mut Shelf) -> R) -> Option<R> {
        let mut shelves = self.shelves.mine().try_lock().ok()?;
        let place = hash % shelves.len() as u64;
        Some(work(&mut shelves[place as usize]))
    }

    fn read(&self, text: &str) -> Read {
        let zookie = Zookie::new(text, self.max_len)?;
        let revision = self.format.decode(text)?;
        let says_more = self.format.says_more(text);
        Ok(Arc::new(Token {
            zookie,
            revision,
            says_more,
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

/// Room for one of the longest tokens that are read by default, or for some twenty usual ones.
const BYTES_A_SHELF: usize = 40 << 10;

/// A few texts, so few that looking at each hash is quick.
#[derive(Debug)]
struct Shelf {
    remembered: Vec<Remembered>,
    bytes: usize,
    max_bytes: usize,
}

#[derive(Debug)]
struct Remembered {
    hash: u64,
    text: Box<str>,
    read: Read,
    /// How often it was found, halved whenever something else has to go.
    found: u8,
}

impl Shelf {
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

    /// Makes room by forgetting what was found least, so that a flood of new texts drives out its own kind first.
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
        self.remembered.push(Remembered {
            hash,
            text: text.into(),
            read: read.clone(),
            found: 0,
        });
    }
}

/// What remembering a text takes: its place, two `Arc`s or a failure with its source, and what the text was read as. A
/// clock's entry takes at least 8 bytes of text and about 7 times that in memory; a snapshot's ids take less.
fn bytes(text: &str) -> usize {
    const EACH: usize = 512;
    const A_TEXT_BYTE: usize = 9;
    EACH + text.len() * A_TEXT_BYTE
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::token::counter::CounterTokens;
    use crate::token::opaque::OpaqueTokens;

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
    fn a_text_that_is_too_long_is_rejected_and_forgotten() {
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
        assert!(bytes as u64 <= max_bytes && count > 0, "{count} in {bytes} bytes");
    }

    #[test]
    fn a_flood_leaves_what_is_used() {
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
    fn threads_remember_for_themselves() {
        let (_, memo) = counted();
        let here = memo.parse("42").unwrap();
        let there = std::thread::scope(|scope| scope.spawn(|| memo.parse("42").unwrap()).join().unwrap());
        assert_eq!((&here.zookie, &here.revision), (&there.zookie, &there.revision));
        assert!(Arc::ptr_eq(&here, &memo.parse("42").unwrap()));
    }

    #[test]
    fn a_text_that_fits_nowhere_is_read_every_time() {
        let memo = TokenMemo::new(Arc::new(OpaqueTokens::new("a")), 4096, 4096);
        assert!(memo.parse(&"1".repeat(4096)).is_ok() && memo.parse(&"1".repeat(4096)).is_ok());
        assert_eq!(held(&memo), (0, 0));
    }

    /// How many texts are remembered, and what they take.
    fn held(memo: &TokenMemo) -> (usize, usize) {
        memo.shelves.iter().fold((0, 0), |(count, all), shelves| {
            let shelves = shelves.lock().unwrap();
            let texts = shelves.iter().flat_map(|shelf| &shelf.remembered);
            let here: Vec<usize> = texts.map(|remembered| bytes(&remembered.text)).collect();
            assert_eq!(
                here.iter().sum::<usize>(),
                shelves.iter().map(|shelf| shelf.bytes).sum::<usize>()
            );
            (count + here.len(), all + here.iter().sum::<usize>())
        })
    }
}
