use crate::byte_size::ByteSize;
use crate::invalid_setting::InvalidSetting;
use crate::revision::{Opaque, Revision, StoreId};
use crate::token::error::TokenError;
use crate::token::format::{TokenFormat, at_least_a_byte};
use crate::token::zookie::Zookie;

const DEFAULT_MAX_LEN: usize = 4096;

/// What services send if they have no token. A query spells a space as a plus sign.
const NO_TOKENS: [&str; 5] = ["", "latest", "noop", "not yet implemented", "not+yet+implemented"];

/// Tokens with unknown content: a token covers only itself.
///
/// Use it for a service whose tokens can't be read. Every new token is then a miss, so use a format that knows the
/// order if there is one. Words that mean "no token" (`latest`, `noop`, …) are malformed.
///
/// ```
/// use tower_zookie::token::{OpaqueTokens, TokenFormat};
///
/// let format = OpaqueTokens::new("documents");
/// assert_eq!(format.decode("c2VjcmV0")?, format.decode("c2VjcmV0")?);
/// assert_eq!(format.decode("c2VjcmV0")?.partial_cmp(&format.decode("b3RoZXI=")?), None);
/// assert!(format.decode("latest").is_err());
/// # Ok::<(), tower_zookie::token::TokenError>(())
/// ```
#[derive(Clone, Debug)]
pub struct OpaqueTokens {
    store: StoreId,
    max_len: usize,
}

impl OpaqueTokens {
    /// Tokens of the store named `name`.
    pub fn new(name: impl AsRef<str>) -> Self {
        Self {
            store: StoreId::new(["opaque", name.as_ref()]),
            max_len: DEFAULT_MAX_LEN,
        }
    }

    /// Sets the limit of a token's length.
    ///
    /// By default 4 KiB. At least 1 byte; [`build`](crate::ZookieLayerBuilder::build) checks it.
    #[must_use]
    pub fn max_len(mut self, len: ByteSize) -> Self {
        self.max_len = len.as_len();
        self
    }
}

impl TokenFormat for OpaqueTokens {
    fn decode(&self, text: &str) -> Result<Revision, TokenError> {
        if NO_TOKENS.contains(&text) {
            return Err(TokenError::malformed("the text means that there is no token"));
        }
        Zookie::new(text, self.max_len)?;
        Ok(Revision::new(self.store.clone(), Opaque::new(text)))
    }

    fn validate(&self) -> Result<(), InvalidSetting> {
        at_least_a_byte(self.max_len)
    }

    fn encode(&self, revision: &Revision) -> Option<Zookie> {
        let opaque: &Opaque = revision.point()?;
        let ours = *revision.store() == self.store && !NO_TOKENS.contains(&opaque.as_str());
        ours.then(|| Zookie::new(opaque.as_str(), self.max_len).ok())?
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::token::error::TokenErrorKind;

    #[test]
    fn placeholder_words_are_malformed() {
        let format = OpaqueTokens::new("a");
        for word in NO_TOKENS {
            let error = format.decode(word).unwrap_err();
            assert!(matches!(error.kind(), TokenErrorKind::Malformed(_)), "{word:?}");
            let forced = Revision::new(format.store.clone(), Opaque::new(word));
            assert!(format.encode(&forced).is_none());
        }
    }

    #[test]
    fn only_equal_texts_of_one_store_compare() {
        let (here, there) = (OpaqueTokens::new("a"), OpaqueTokens::new("b"));
        let one = here.decode("one").unwrap();
        assert_eq!(one, here.decode("one").unwrap());
        assert_eq!(one.partial_cmp(&here.decode("two").unwrap()), None);
        assert_ne!(one, there.decode("one").unwrap());
        assert_eq!(here.encode(&one).unwrap().as_str(), "one");
        assert!(there.encode(&one).is_none());
    }

    #[test]
    fn the_length_is_limited() {
        let format = OpaqueTokens::new("a").max_len(ByteSize::bytes(3));
        assert!(format.decode("abc").is_ok());
        let error = format.decode("abcd").unwrap_err();
        assert_eq!(error.kind(), &TokenErrorKind::TooLong { len: 4, max: 3 });
    }

    proptest! {
        #[test]
        fn never_panics(text: String) {
            let _ = OpaqueTokens::new("a").decode(&text);
        }
    }
}
