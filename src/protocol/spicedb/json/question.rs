use crate::cache::{Fingerprint, FingerprintBuilder, Keyer, Part};
use crate::protocol::call::Unreadable;
use crate::protocol::digest::{Digest, Hashed, Members};
use crate::protocol::gateway::{is_null, once};
use crate::protocol::json::Json;

/// A field of a message, in both of its spellings.
struct Field {
    camel: &'static str,
    snake: &'static str,
    part: Part,
    shape: Shape,
}

enum Shape {
    Text,
    Message(&'static [Field]),
    Struct,
}

const fn field(camel: &'static str, snake: &'static str, part: Part, shape: Shape) -> Field {
    Field {
        camel,
        snake,
        part,
        shape,
    }
}

/// The fields of a question: those of `CheckBulkPermissionsRequestItem`. A `CheckPermissionRequest` has them too.
static QUESTION: [Field; 4] = [
    field("resource", "resource", Part::Resource, Shape::Message(&OBJECT)),
    field("permission", "permission", Part::Permission, Shape::Text),
    field("subject", "subject", Part::Subject, Shape::Message(&SUBJECT)),
    field("context", "context", Part::Context, Shape::Struct),
];

static OBJECT: [Field; 2] = [
    field("objectType", "object_type", Part::Resource, Shape::Text),
    field("objectId", "object_id", Part::Resource, Shape::Text),
];

static SUBJECT: [Field; 2] = [
    field("object", "object", Part::Subject, Shape::Message(&OBJECT)),
    field("optionalRelation", "optional_relation", Part::Subject, Shape::Text),
];

const MAX_FIELDS: usize = QUESTION.len();

/// Hashes values under the key of one request.
pub(super) struct Digests {
    base: FingerprintBuilder,
    structs: Digest,
    unknown: Digest,
}

impl Digests {
    pub(super) fn new(base: &FingerprintBuilder) -> Self {
        Self {
            base: base.clone().text(Part::System, "proto3 json"),
            structs: Digest::of_doubles(base),
            unknown: Digest::new(base),
        }
    }

    /// Reads an unknown member. This server ignores it, but a newer server may not.
    pub(super) fn unknown(&self, json: &mut Json<'_>, name: &str, others: &mut Members) -> Result<(), Unreadable> {
        Ok(self.unknown.member(json, name, others)?)
    }
}

/// One question, or a message within it, while it is read. A null, an empty text and an absent field are the same in
/// Protocol Buffers.
pub(super) struct Question {
    fields: &'static [Field],
    seen: [bool; MAX_FIELDS],
    values: [Option<Hashed>; MAX_FIELDS],
    others: Members,
}

impl Question {
    pub(super) fn new() -> Self {
        Self::of(&QUESTION)
    }

    fn of(fields: &'static [Field]) -> Self {
        Self {
            fields,
            seen: [false; MAX_FIELDS],
            values: [None; MAX_FIELDS],
            others: Members::default(),
        }
    }

    /// Reads the value of the member `name`.
    pub(super) fn member(&mut self, json: &mut Json<'_>, name: &str, digests: &Digests) -> Result<(), Unreadable> {
        let named = |field: &Field| name == field.camel || name == field.snake;
        let Some(index) = self.fields.iter().position(named) else {
            return digests.unknown(json, name, &mut self.others);
        };
        once(&mut self.seen[index])?;
        if is_null(json)? {
            return Ok(());
        }
        self.values[index] = match self.fields[index].shape {
            Shape::Text => {
                let text = json.string()?;
                let hash = || digests.base.clone().text(Part::Body, &text).finish();
                (!text.is_empty()).then(|| hash().bits().to_le_bytes())
            }
            Shape::Message(fields) => {
                let mut inner = Self::of(fields);
                json.object(|json, name| inner.member(json, name, digests))?;
                Some(inner.finish(&digests.base).bits().to_le_bytes())
            }
            Shape::Struct => {
                if json.peek() != Some(b'{') {
                    return Err(Unreadable("the context is not an object"));
                }
                Some(digests.structs.value(json)?)
            }
        };
        Ok(())
    }

    /// The fingerprint, which begins with `prefix`.
    pub(super) fn finish(&self, prefix: &FingerprintBuilder) -> Fingerprint {
        let mut fingerprint = prefix.clone();
        for (field, value) in self.fields.iter().zip(&self.values) {
            match value {
                Some(hashed) => fingerprint.add(field.part, hashed),
                None => fingerprint.add(Part::Absent, &[]),
            }
        }
        self.others.feed(Part::Body, &mut fingerprint);
        fingerprint.finish()
    }
}

/// Compares the items of a bulk with the items that the reply repeats.
pub(super) struct Echo(Digests);

impl Echo {
    pub(super) fn new() -> Self {
        Self(Digests::new(&Keyer::random().question("echo")))
    }

    /// Whether both name the same resource, permission and subject. Contexts are not compared.
    pub(super) fn is_about(&self, repeated: &[u8], item: &[u8]) -> bool {
        let (repeated, item) = (self.tuple(repeated), self.tuple(item));
        repeated.is_ok() && repeated == item
    }

    fn tuple(&self, item: &[u8]) -> Result<[Option<Hashed>; MAX_FIELDS], Unreadable> {
        let mut question = Question::new();
        Json::new(item)?.object(|json, name| question.member(json, name, &self.0))?;
        let context = QUESTION.iter().position(|field| matches!(field.shape, Shape::Struct));
        context.into_iter().for_each(|index| question.values[index] = None);
        Ok(question.values)
    }
}
