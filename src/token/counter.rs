use crate::revision::{Counter, Revision, StoreId};
use crate::token::error::{TokenError, TokenErrorKind};
use crate::token::format::TokenFormat;
use crate::token::zookie::Zookie;

/// The digits of [`u64::MAX`].
const MAX_DIGITS: usize = 20;

/// Revision numbers: each token is an unsigned decimal number of 64 bits, without a sign and leading zeros.
///
/// ```
/// use tower_zookie::token::{CounterTokens, TokenFormat};
///
/// let format = CounterTokens::new("documents");
/// assert!(format.decode("42")? < format.decode("100")?);
/// assert!(format.decode("042").is_err());
/// # Ok::<(), tower_zookie::token::TokenError>(())
/// ```
#[derive(Clone, Debug)]
pub struct CounterTokens {
    store: StoreId,
}

impl CounterTokens {
    /// Tokens of the store named `name`.
    pub fn new(name: impl AsRef<str>) -> Self {
        Self {
            store: StoreId::new(["counter", name.as_ref()]),
        }
    }
}

impl TokenFormat for CounterTokens {
    fn decode(&self, text: &str) -> Result<Revision, TokenError> {
        let len = text.len();
        if len > MAX_DIGITS {
            return Err(TokenErrorKind::TooLong { len, max: MAX_DIGITS }.into());
        }
        let canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && (len == 1 || !text.starts_with('0'));
        if !canonical {
            return Err(TokenError::malformed(
                "not a decimal number without sign and leading zeros",
            ));
        }
        let number = text
            .parse()
            .map_err(|e| TokenError::malformed("not a number of 64 bits").with_source(e))?;
        Ok(Revision::new(self.store.clone(), Counter(number)))
    }

    fn encode(&self, revision: &Revision) -> Option<Zookie> {
        let Counter(number) = revision.point()?;
        let ours = *revision.store() == self.store;
        ours.then(|| Zookie::new(&number.to_string(), MAX_DIGITS).ok())?
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_plain_numbers_only() {
        let format = CounterTokens::new("a");
        for good in ["0", "1", "42", "18446744073709551615"] {
            let revision = format.decode(good).unwrap();
            assert_eq!(revision.point(), Some(&Counter(good.parse().unwrap())));
            assert_eq!(format.encode(&revision).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "00",
            "042",
            "+1",
            "-1",
            " 1",
            "1.0",
            "1e3",
            "0x1",
            "x",
            "18446744073709551616",
            "\u{661}",
        ] {
            let error = format.decode(bad).unwrap_err();
            assert!(matches!(error.kind(), TokenErrorKind::Malformed(_)), "{bad:?} {error}");
        }
        let long = format.decode(&"1".repeat(21)).unwrap_err();
        assert_eq!(long.kind(), &TokenErrorKind::TooLong { len: 21, max: 20 });
    }

    #[test]
    fn names_only_revisions_of_its_own_store() {
        let revision = CounterTokens::new("a").decode("1").unwrap();
        assert!(CounterTokens::new("b").encode(&revision).is_none());
        assert_ne!(CounterTokens::new("b").decode("1").unwrap(), revision);
        let other_kind = Revision::new(revision.store().clone(), crate::revision::Opaque::new("1"));
        assert!(CounterTokens::new("a").encode(&other_kind).is_none());
    }

    proptest! {
        #[test]
        fn orders_as_numbers_do(a: u64, b: u64) {
            let format = CounterTokens::new("a");
            let read = |number: u64| format.decode(&number.to_string()).unwrap();
            prop_assert_eq!(read(a).partial_cmp(&read(b)), Some(a.cmp(&b)));
        }

        #[test]
        fn never_panics(text: String) {
            let _ = CounterTokens::new("a").decode(&text);
        }
    }
}
