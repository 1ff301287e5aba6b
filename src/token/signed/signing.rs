use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use crate::invalid_setting::InvalidSetting;
use crate::token::error::{TokenError, TokenErrorKind};
use crate::token::signed::envelope::{Envelope, MOST_ADDED, is_enveloped, spell};
use crate::token::signed::key::{KeyId, SigningKey};
use crate::token::signed::mac::Signed;
use crate::token::zookie::Zookie;

const DEFAULT_SKEW: Duration = Duration::from_secs(30);
const LONGEST_SKEW: Duration = Duration::from_secs(60 * 60);

/// Signs tokens of any system, and verifies them: HMAC-SHA-256, with one key that signs and others that are accepted.
///
/// A signed token is an envelope: `zs1.`, the key's id, when it was issued, the signature, and the token's own text. What the
/// signature proves is that whoever has the key says of this token: **the store has named it**. A layer with the key so knows
/// of a token that another replica handed out, without a call to the store.
///
/// ```
/// use tower_zookie::token::{Signing, SigningKey, Zookie};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let key = SigningKey::new("2027-01", b"32 bytes of `openssl rand`, say.")?;
/// let signing = Signing::new(key);
/// let signed = signing.sign(&Zookie::new("42", 16)?);
/// assert!(signed.as_str().starts_with("zs1.2027-01."));
/// assert_eq!(signing.verify(signed.as_str())?.zookie.as_str(), "42");
/// assert!(signing.verify(&signed.as_str().replace(".42", ".43")).is_err());
/// # Ok(())
/// # }
/// ```
///
/// **Sign only what the store named**: the token of a reply to a write, or of a read at a revision that the store chose. A
/// signed token of a client's making would be trusted by every replica. The layers sign by themselves, and only such tokens.
#[derive(Clone, Debug)]
#[must_use]
pub struct Signing {
    signs: SigningKey,
    accepted: Vec<SigningKey>,
    purpose: String,
    max_age: Option<Duration>,
    clock_skew: Duration,
}

/// A signed token whose signature is right.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// The token.
    pub zookie: Zookie,
    /// When it was issued, in whole seconds.
    pub issued: SystemTime,
    /// The key that signed it.
    pub key: KeyId,
}

/// A signed token whose signature is right, of whatever age.
#[derive(Debug)]
pub(crate) struct Opened<'a> {
    pub(crate) token: &'a str,
    pub(crate) issued: u64,
}

impl Signing {
    /// Signs with this key, and accepts it.
    pub fn new(key: SigningKey) -> Self {
        Self {
            signs: key,
            accepted: Vec::new(),
            purpose: String::new(),
            max_age: None,
            clock_skew: DEFAULT_SKEW,
        }
    }

    /// Accepts one more key, which signs nothing: the next one before every replica has it, or the last one as long as its
    /// tokens are about.
    pub fn accept(mut self, key: SigningKey) -> Self {
        self.accepted.push(key);
        self
    }

    /// What the tokens are for. A token that was signed for another purpose has a wrong signature. Where the same key signs
    /// the tokens of several authorization systems, give each a purpose of its own: some systems' tokens do not say which
    /// store they belong to.
    ///
    /// By default it is empty.
    pub fn purpose(mut self, purpose: impl Into<String>) -> Self {
        self.purpose = purpose.into();
        self
    }

    /// How old a signed token may be, counted from when its revision was last named.
    ///
    /// By default a token may have any age. At least one second; [`build`](crate::ZookieLayerBuilder::build) checks it.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// By how much the clocks of replicas may differ: a token may be issued as far in the future as this, and be older than
    /// [`max_age`](Self::max_age) by this.
    ///
    /// By default 30 s. At most one hour.
    pub fn clock_skew(mut self, skew: Duration) -> Self {
        self.clock_skew = skew;
        self
    }

    /// Signs a token that the store has named just now.
    ///
    /// A token that is signed already is returned as it is.
    pub fn sign(&self, named: &Zookie) -> Zookie {
        self.sign_at(named, SystemTime::now())
    }

    /// Signs a token that the store named at this time.
    pub fn sign_at(&self, named: &Zookie, issued: SystemTime) -> Zookie {
        self.sign_issued(named, unix_seconds(issued))
    }

    pub(crate) fn sign_issued(&self, named: &Zookie, issued: u64) -> Zookie {
        let token = named.as_str();
        if is_enveloped(token) {
            return named.clone();
        }
        let key = &self.signs;
        let mac = key.secret().sign(self.what(key.id().as_str(), issued, token));
        let text = spell(key.id(), issued, &mac, token);
        // Key ids, numbers and base64 have only characters that tokens have.
        Zookie::new(&text, text.len()).unwrap_or_else(|_| named.clone())
    }

    /// The token in an envelope, if its signature is right and its age allowed.
    ///
    /// # Errors
    ///
    /// [`Malformed`](TokenErrorKind::Malformed) if the text is no envelope, [`UnknownKey`](TokenErrorKind::UnknownKey),
    /// [`WrongSignature`](TokenErrorKind::WrongSignature), [`TooOld`](TokenErrorKind::TooOld) or
    /// [`FromFuture`](TokenErrorKind::FromFuture).
    pub fn verify(&self, text: &str) -> Result<Verified, TokenError> {
        self.verify_at(text, SystemTime::now())
    }

    /// The same, as of this time.
    ///
    /// # Errors
    ///
    /// As for [`verify`](Self::verify).
    pub fn verify_at(&self, text: &str, now: SystemTime) -> Result<Verified, TokenError> {
        let envelope = Envelope::read(text)?;
        let key = self.verified(&envelope)?;
        self.check_age(envelope.issued, unix_seconds(now))?;
        let issued = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(envelope.issued));
        Ok(Verified {
            zookie: Zookie::new(envelope.token, envelope.token.len())?,
            issued: issued.ok_or(TokenErrorKind::FromFuture)?,
            key: key.id().clone(),
        })
    }

    /// Whether the text claims to be a signed token.
    pub fn is_signed(text: &str) -> bool {
        is_enveloped(text)
    }

    /// The token in an envelope, if its signature is right.
    pub(crate) fn open<'a>(&self, text: &'a str) -> Result<Opened<'a>, TokenError> {
        let envelope = Envelope::read(text)?;
        self.verified(&envelope)?;
        let Envelope { token, issued, .. } = envelope;
        Ok(Opened { token, issued })
    }

    fn verified(&self, envelope: &Envelope<'_>) -> Result<&SigningKey, TokenError> {
        let is_its = |key: &&SigningKey| key.id().as_str() == envelope.key;
        let key = self.keys().find(is_its).ok_or(TokenErrorKind::UnknownKey)?;
        let what = self.what(envelope.key, envelope.issued, envelope.token);
        match key.secret().is_signature(what, &envelope.mac) {
            true => Ok(key),
            false => Err(TokenErrorKind::WrongSignature.into()),
        }
    }

    /// Whether a token that was issued then may be used now. Both are seconds since 1970.
    pub(crate) fn check_age(&self, issued: u64, now: u64) -> Result<(), TokenErrorKind> {
        let skew = self.clock_skew.as_secs();
        if issued > now.saturating_add(skew) {
            return Err(TokenErrorKind::FromFuture);
        }
        match self.max_age {
            Some(age) if now.saturating_sub(issued) > age.as_secs().saturating_add(skew) => Err(TokenErrorKind::TooOld),
            _ => Ok(()),
        }
    }

    /// By how many seconds clocks may differ.
    pub(crate) fn skew_seconds(&self) -> u64 {
        self.clock_skew.as_secs()
    }

    /// The most that a signature adds to a token.
    pub(crate) fn most_added() -> usize {
        MOST_ADDED
    }

    fn what<'a>(&'a self, key: &'a str, issued: u64, token: &'a str) -> Signed<'a> {
        Signed {
            purpose: &self.purpose,
            key,
            issued,
            token,
        }
    }

    fn keys(&self) -> impl Iterator<Item = &SigningKey> {
        std::iter::once(&self.signs).chain(&self.accepted)
    }

    /// Checks the settings, when a layer is built.
    pub(crate) fn validate(&self) -> Result<(), InvalidSetting> {
        let mut ids = HashSet::new();
        if let Some(repeated) = self.keys().find(|key| !ids.insert(key.id().as_str())) {
            let problem = format!(
                "has two keys with the id `{}`, of which only the first would be used; give each an id of its own",
                repeated.id()
            );
            return Err(InvalidSetting::new("signing", problem));
        }
        if self.max_age.is_some_and(|age| age < Duration::from_secs(1)) {
            let problem =
                "has a `max_age` of less than a second, so tokens would be too old at once; choose a longer one";
            return Err(InvalidSetting::new("signing", problem));
        }
        if self.clock_skew > LONGEST_SKEW {
            let problem = "has a `clock_skew` of more than an hour; set the clocks, and choose a shorter one";
            return Err(InvalidSetting::new("signing", problem));
        }
        Ok(())
    }
}

/// A time in seconds since 1970.
pub(crate) fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}
