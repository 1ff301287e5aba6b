use crate::cache::{Fingerprint, Part};
use crate::protobuf::{Field, fields};
use crate::protocol::call::{Key, Kind, Unreadable};
use crate::protocol::digest::Hashed;
use crate::protocol::grpc::{Question, Values};
use crate::protocol::permify::grpc::method::{Answer, SNAP_TOKEN};

/// Permify rejects a bulk with more.
const MOST_ITEMS: usize = 100;

/// The field of every request with its metadata.
pub(super) const METADATA: u32 = 2;

/// The field of a bulk with one item.
pub(super) const ITEM: u32 = 3;

/// What a message's metadata says of how fresh its answer must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stated<'a> {
    pub(super) token: Option<&'a [u8]>,
    /// The schema's version is left to the latest.
    pub(super) unpinned: bool,
    is_there: bool,
}

impl<'a> Stated<'a> {
    /// Reads metadata that bears its token in the field of the number `token`. What else is in it goes to `other`.
    fn add(&mut self, metadata: &'a [u8], token: u32, mut other: impl FnMut(&Field<'a>)) -> Result<(), Unreadable> {
        const SCHEMA_VERSION: u32 = 1;
        if std::mem::replace(&mut self.is_there, true) {
            return Err(Unreadable("metadata that is two"));
        }
        // Listings of data have their token there, and nothing to do with a schema.
        self.unpinned = token != SCHEMA_VERSION;
        let mut found = None;
        for field in fields(metadata) {
            let field = field?;
            if field.number == token {
                if found.replace(field.bytes()?).is_some() {
                    return Err(Unreadable("a snap token that is two"));
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

/// Reads a request whose answer is kept. What stands beside a bulk's items belongs to each.
pub(super) fn kept<'m>(
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
                if items.len() == MOST_ITEMS {
                    return Err(Unreadable("more than 100 items"));
                }
                items.push(field);
            }
            number if number == context => question.add_context(read_context(field.bytes()?, key)?)?,
            _ => question.add(Part::Body, &field),
        }
    }
    let kind = match answer {
        // Permify rejects it. It could not be told a token either.
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

/// Hashes a `Context`: its data by value, its tuples and attributes as they stand there.
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
                    return Err(Unreadable("a context whose data is two"));
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

/// Reads what a request that is never kept says of freshness.
pub(super) fn unkept(
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
