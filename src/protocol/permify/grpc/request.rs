use crate::cache::{Fingerprint, Part};
use crate::protobuf::{Field, fields};
use crate::protocol::call::{Key, Kind, Unreadable};
use crate::protocol::digest::Hashed;
use crate::protocol::grpc::{Question, Values};
use crate::protocol::permify::grpc::method::{Answer, SNAP_TOKEN};

/// The most items of a bulk. Permify rejects a bulk with more.
const MAX_ITEMS: usize = 100;

/// The field of every request with its metadata.
pub(super) const METADATA: u32 = 2;

/// The field of a bulk with one item.
pub(super) const ITEM: u32 = 3;

/// The freshness that a message's metadata states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stated<'a> {
    pub(super) token: Option<&'a [u8]>,
    /// The message names no version of the schema, so Permify takes the latest.
    pub(super) unpinned: bool,
    is_there: bool,
}

impl<'a> Stated<'a> {
    /// Reads metadata whose token is in the field with the number `token`. Its other fields go to `other`.
    fn add(&mut self, metadata: &'a [u8], token: u32, mut other: impl FnMut(&Field<'a>)) -> Result<(), Unreadable> {
        const SCHEMA_VERSION: u32 = 1;
        if std::mem::replace(&mut self.is_there, true) {
            return Err(Unreadable("the message repeats its metadata"));
        }
        // Listings of data have their token in this field, and do not depend on a schema.
        self.unpinned = token != SCHEMA_VERSION;
        let mut found = None;
        for field in fields(metadata) {
            let field = field?;
            if field.number == token {
                if found.replace(field.bytes()?).is_some() {
                    return Err(Unreadable("the metadata repeats its snap token"));
                }
                continue;
            }
            if field.number == SCHEMA_VERSION {
                self.unpinned = field.bytes()?.is_empty();
            }
            other(&field);
        }
        self.token = found.filter(|token| !token.is_empty());
        Ok(())
    }
}

/// Reads a request whose answers the cache stores. Fields beside a bulk's items belong to each question.
pub(super) fn stored<'m>(
    message: &'m [u8],
    mut question: Question,
    key: &Key<'_>,
    answer: Answer,
    context: u32,
) -> Result<(Kind, Stated<'m>), Unreadable> {
    let mut stated = Stated::default();
    let mut items = Vec::new();
    for field in fields(message) {
        let field = field?;
        match field.number {
            METADATA => stated.add(field.bytes()?, SNAP_TOKEN, |field| question.add(Part::Schema, field))?,
            ITEM if answer == Answer::Verdicts => {
                if items.len() == MAX_ITEMS {
                    return Err(Unreadable("the bulk has more than 100 items"));
                }
                items.push(field);
            }
            number if number == context => question.add_context(read_context(field.bytes()?, key)?)?,
            _ => question.add(Part::Body, &field),
        }
    }
    let kind = match answer {
        // Permify rejects a message without metadata. It also has no place for a token.
        _ if !stated.is_there => Kind::NEVER_STORED,
        Answer::Verdicts if items.is_empty() => Kind::NEVER_STORED,
        Answer::Verdicts => Kind::Bulk(items.iter().map(|item| of_item(&question, item)).collect()),
        Answer::Verdict | Answer::Tree => Kind::Check(question.finish()),
    };
    Ok((kind, stated))
}

fn of_item(shared: &Question, item: &Field<'_>) -> Fingerprint {
    let mut question = shared.clone();
    question.add(Part::Body, item);
    question.finish()
}

/// Hashes a `Context`: its data by value, its tuples and attributes as their bytes in the message.
fn read_context(message: &[u8], key: &Key<'_>) -> Result<Hashed, Unreadable> {
    const DATA: u32 = 3;
    let mut fingerprint = key.base.clone();
    let mut data = None;
    for field in fields(message) {
        let field = field?;
        match field.number {
            DATA => {
                let value = Values::new(&key.base).structure(field.bytes()?)?;
                if data.replace(value).is_some() {
                    return Err(Unreadable("the context repeats its data"));
                }
            }
            _ => fingerprint.add(Part::Context, field.bytes),
        }
    }
    if let Some(data) = data {
        fingerprint.add(Part::Body, &data);
    }
    Ok(fingerprint.finish().bits().to_le_bytes())
}

/// Reads the freshness that a request states whose reply is never stored.
pub(super) fn never_stored(
    message: &[u8],
    stream: bool,
    token: u32,
    cursor: Option<u32>,
) -> Result<(Kind, Stated<'_>), Unreadable> {
    let mut stated = Stated::default();
    let mut kind = Kind::Read { stream };
    for field in fields(message) {
        let field = field?;
        match field.number {
            METADATA => stated.add(field.bytes()?, token, |_| {})?,
            number if Some(number) == cursor && !field.bytes()?.is_empty() => kind = Kind::Page,
            _ => {}
        }
    }
    Ok((kind, stated))
}
