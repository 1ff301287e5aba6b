use crate::cache::{FingerprintBuilder, Named, Part};
use crate::protocol::kit::json::reader::{Json, NotJson};

/// Hashes JSON by its value: whitespace, escapes in strings and the order of members make no difference, everything else
/// does.
///
/// Numbers are equal only if they have the same text, so `1` and `1.0` differ: no number type holds all numbers that
/// JSON can spell, and systems differ in which one they use. Two texts with one hash have the same answer in every
/// system; two texts with different hashes cost at most one more upstream call.
///
/// ```
/// use tower_zookie::cache::{Fingerprint, Keyer, Part};
/// use tower_zookie::protocol::kit::json::{Digest, Json, Members, NotJson};
///
/// /// The whole body, without the caller's token.
/// fn key(keyer: &Keyer, body: &str) -> Result<Fingerprint, NotJson> {
///     let mut fingerprint = keyer.question("example");
///     let digest = Digest::new(&fingerprint);
///     let mut members = Members::default();
///     let mut json = Json::new(body.as_bytes())?;
///     json.object(|json, name| match name {
///         "at" => json.string().map(drop),
///         _ => digest.member(json, name, &mut members),
///     })?;
///     json.end()?;
///     members.feed(Part::Body, &mut fingerprint);
///     Ok(fingerprint.finish())
/// }
/// let keyer = Keyer::random();
/// let first = key(&keyer, r#"{"who": "u1", "what": {"a": 1, "b": 2}}"#)?;
/// assert_eq!(first, key(&keyer, r#"{"what":{"b":2,"a":1},"at":"7","who":"\u00751"}"#)?);
/// assert_ne!(first, key(&keyer, r#"{"who": "u1", "what": {"a": 1, "b": 2.0}}"#)?);
/// # Ok::<(), NotJson>(())
/// ```
#[derive(Clone, Debug)]
pub struct Digest {
    base: FingerprintBuilder,
    numbers: Numbers,
}

/// When two numbers are equal.
#[derive(Clone, Copy, Debug)]
enum Numbers {
    /// If they have the same text, because no number type can hold all numbers that JSON can spell.
    AsText,
    /// If they are the same double.
    AsDoubles,
}

/// One value's hash.
pub(in crate::protocol) type Hashed = [u8; 16];

/// The kind of one piece of a value. It is hashed with the piece, so pieces of different kinds never collide.
#[derive(Clone, Copy)]
#[repr(u16)]
pub(in crate::protocol) enum Piece {
    /// The name of the member whose value follows.
    Name,
    /// The members of an object: their count and the sum of their hashes.
    Object,
    /// The start of an array.
    Array,
    /// The end of an array.
    ArrayEnd,
    Text,
    /// A double, by its bits.
    Double,
    /// A constant or a number of JSON, by its text.
    Word,
    /// A `null` of Protocol Buffers, by its number.
    Null,
    /// A `bool` of Protocol Buffers, by its number.
    Bool,
    /// A value of Protocol Buffers that is not set.
    Unset,
}

impl Piece {
    pub(in crate::protocol) fn add(self, fingerprint: &mut FingerprintBuilder, bytes: &[u8]) {
        fingerprint.add_nth(Part::Body, self as u16, bytes);
    }
}

impl Digest {
    /// Hashes under the key of `base`, such as [`Key::base`](crate::protocol::Key::base): a client that does not know it
    /// can't find two values with one hash.
    pub fn new(base: &FingerprintBuilder) -> Self {
        Self {
            base: base.clone(),
            numbers: Numbers::AsText,
        }
    }

    /// Reads numbers as doubles, as Protocol Buffers do with JSON that has no schema. A number out of their range is an
    /// error.
    pub(in crate::protocol) fn of_doubles(base: &FingerprintBuilder) -> Self {
        Self {
            base: base.clone(),
            numbers: Numbers::AsDoubles,
        }
    }

    /// Reads any value and returns its hash, to be added to a fingerprint.
    ///
    /// # Errors
    ///
    /// [`NotJson`] if there is no value.
    pub fn value(&self, json: &mut Json<'_>) -> Result<[u8; 16], NotJson> {
        let mut fingerprint = self.base.clone();
        self.feed(json, &mut fingerprint)?;
        Ok(fingerprint.finish().bits().to_le_bytes())
    }

    /// Reads an object.
    ///
    /// # Errors
    ///
    /// [`NotJson`] if the next value is not an object.
    pub fn object(&self, json: &mut Json<'_>) -> Result<Members, NotJson> {
        let mut members = Members::default();
        json.object(|json, name| {
            members.add(&self.hashed(json, name)?);
            Ok::<_, NotJson>(())
        })?;
        Ok(members)
    }

    /// Reads a context, whose members have names of their own in a trace.
    pub(in crate::protocol) fn context(&self, json: &mut Json<'_>) -> Result<Members, NotJson> {
        let mut members = Members::default();
        json.object(|json, name| {
            let hashed = self.hashed(json, name)?;
            self.base.note_hashed(Named::Context, name, &hashed);
            members.add(&hashed);
            Ok::<_, NotJson>(())
        })?;
        Ok(members)
    }

    /// Reads the value of the member `name`, and adds both to `members`.
    ///
    /// # Errors
    ///
    /// [`NotJson`] if there is no value.
    pub fn member(&self, json: &mut Json<'_>, name: &str, members: &mut Members) -> Result<(), NotJson> {
        let hashed = self.hashed(json, name)?;
        self.base.note_hashed(Named::Member, name, &hashed);
        members.add(&hashed);
        Ok(())
    }

    /// The hash of a name and the value that follows.
    fn hashed(&self, json: &mut Json<'_>, name: &str) -> Result<FingerprintBuilder, NotJson> {
        let mut fingerprint = self.base.clone();
        Piece::Name.add(&mut fingerprint, name.as_bytes());
        self.feed(json, &mut fingerprint)?;
        Ok(fingerprint)
    }

    /// Notes an object as the member `name`.
    pub(in crate::protocol) fn note(&self, name: &str, object: &Members) {
        if self.base.is_traced() {
            let mut fingerprint = self.base.clone();
            object.feed(Part::Body, &mut fingerprint);
            self.base.note_hashed(Named::Member, name, &fingerprint);
        }
    }

    /// Adds the member `name`, whose value is an object of these members: the same as [`member`](Self::member) of their text.
    pub(in crate::protocol) fn object_member(&self, name: &str, object: &Members, members: &mut Members) {
        let mut fingerprint = self.base.clone();
        Piece::Name.add(&mut fingerprint, name.as_bytes());
        object.feed(Part::Body, &mut fingerprint);
        self.base.note_hashed(Named::Member, name, &fingerprint);
        members.add(&fingerprint);
    }

    fn feed(&self, json: &mut Json<'_>, fingerprint: &mut FingerprintBuilder) -> Result<(), NotJson> {
        match json.peek() {
            Some(b'{') => self.object(json)?.feed(Part::Body, fingerprint),
            Some(b'[') => {
                Piece::Array.add(fingerprint, b"");
                json.array(|json| self.feed(json, fingerprint))?;
                Piece::ArrayEnd.add(fingerprint, b"");
            }
            Some(b'"') => Piece::Text.add(fingerprint, json.string()?.as_bytes()),
            _ => self.feed_scalar(json.scalar()?, fingerprint)?,
        }
        Ok(())
    }

    fn feed_scalar(&self, text: &str, fingerprint: &mut FingerprintBuilder) -> Result<(), NotJson> {
        if matches!(self.numbers, Numbers::AsText) || matches!(text, "true" | "false" | "null") {
            Piece::Word.add(fingerprint, text.as_bytes());
            return Ok(());
        }
        let number: f64 = text.parse().map_err(|_| NotJson)?;
        if !number.is_finite() {
            return Err(NotJson);
        }
        Piece::Double.add(fingerprint, &number.to_bits().to_le_bytes());
        Ok(())
    }
}

/// The members of an object, in any order, hashed by a [`Digest`].
///
/// They are the sum of the members' keyed hashes. An attacker who does not know the key can't choose different members
/// with an equal sum.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    count: u64,
    sum: u128,
}

impl Members {
    /// Whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(in crate::protocol) fn add(&mut self, member: &FingerprintBuilder) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(member.finish().bits());
    }

    /// Adds the members to `fingerprint` as one unit: an object is never equal to anything else of the kind `part`.
    pub fn feed(&self, part: Part, fingerprint: &mut FingerprintBuilder) {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&self.count.to_le_bytes());
        bytes[8..].copy_from_slice(&self.sum.to_le_bytes());
        fingerprint.add_nth(part, Piece::Object as u16, &bytes);
    }
}
