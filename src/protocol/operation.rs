//! The rows of a system's table: what its operations do, and where in their messages the cache finds what it needs.

use http::Method;

use crate::changes::Effect;
use crate::consistency::Consistency;

/// One operation of an API, for all its wires.
#[derive(Debug)]
pub(super) struct Operation {
    /// Its path over gRPC.
    pub(super) grpc: &'static str,
    /// Its method and path over HTTP. The path follows the API's base path.
    pub(super) http: (Method, &'static str),
    pub(super) does: Does,
    /// The fields of its request that mean something to the cache. All other fields belong to the question.
    pub(super) request: &'static [Field],
    /// The fields of its reply that an answer can have. A reply with any other field is never stored.
    pub(super) reply: &'static [Field],
    /// Where its request names objects: the fields that lead to them, and nothing else of the request.
    pub(super) objects: &'static [Field],
}

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Does {
    /// Answers one question.
    Check,
    /// Answers several questions with one reply.
    Bulk,
    /// Reads what is never stored.
    Read,
    /// The same, with a stream of replies, which the layer does not read.
    ReadStream,
    /// The same, forwarded unmodified unless a carrier raises the request's floor.
    List,
    /// Reads what is never stored, always at head, whatever the message states.
    ReadAtHead,
    /// Changes relationships.
    Write,
    /// Changes what all answers may depend on.
    WriteSchema,
    /// Changes relationships by a stream of the client.
    Import,
    /// Follows the changes. It passes.
    Watch,
}

/// A field of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    /// Its number in Protocol Buffers.
    pub(super) number: u32,
    /// Its name in JSON, as the layer writes it.
    pub(super) name: &'static str,
    /// The other name in JSON: proto3 allows `camelCase` and `snake_case`.
    pub(super) alias: &'static str,
    pub(super) is: Is,
}

/// What a field means to the cache.
#[derive(Clone, Copy, Debug)]
pub(super) enum Is {
    /// A request's freshness: exactly one of these consistencies.
    Freshness(&'static [Field]),
    /// A consistency: a flag, or a message with a token.
    Consistency(Consistency, &'static [Field]),
    /// A token. A request's token is not part of its question.
    Token,
    /// The version of the schema, which belongs to the question. Without it the server takes the latest version.
    SchemaVersion,
    /// A flag that asks for more than the answer, or what a reply has beside its answer.
    More,
    /// A limit or a cursor. If it is set, the request is for one page.
    Page,
    /// The questions of a bulk.
    Items(&'static [Field]),
    /// A message whose fields have a meaning of their own.
    Opened(&'static [Field]),
    /// A text of the question.
    Text,
    /// A message of the question.
    Message(&'static [Field]),
    /// A `google.protobuf.Struct` of the question, which is keyed by its value.
    Struct,
    /// A verdict: one of these names, with the numbers from 1.
    Verdict(&'static [&'static str]),
    /// An answer that is a message, such as a tree.
    Tree,
    /// The instant at which an answer ends.
    Expiry,
    /// A part of an answer that nothing depends on.
    Detail,
    /// An integer that nothing depends on.
    Number,
    /// The answers to a bulk's questions.
    Results(&'static [Field]),
    /// The question that a bulk's answer belongs to, as the server repeats it.
    Echo(&'static [Field]),
    /// The tenant of all objects.
    Tenant,
    /// The type of an object. Without an id beside it, all objects of the type.
    Kind,
    /// The id of an object.
    Id,
    /// The ids of objects.
    Ids,
    /// A filter of relationships.
    Filter(&'static [Field]),
    /// The changes that a message of a change feed reports.
    Changes(&'static [Field]),
    /// What became of a changed relationship: one of these names, with the numbers from 1.
    Effect(&'static [&'static str], &'static [Effect]),
    /// The resource of a relationship.
    Resource(&'static [Field]),
    /// The relation of a relationship, or of its subject.
    Relation,
    /// The subject of a relationship.
    Subject(&'static [Field]),
    /// A change that is none of a relationship.
    OtherChange,
    /// A flag: the schema changed.
    SchemaChanged,
    /// A flag: the message is a checkpoint.
    Checkpoint,
}

impl Field {
    /// A field with one name.
    pub(super) const fn new(number: u32, name: &'static str, is: Is) -> Self {
        Self::with_alias(number, name, name, is)
    }

    /// A field with two names.
    pub(super) const fn with_alias(number: u32, name: &'static str, alias: &'static str, is: Is) -> Self {
        Self {
            number,
            name,
            alias,
            is,
        }
    }

    /// The same field with another number.
    pub(super) const fn numbered(self, number: u32) -> Self {
        Self { number, ..self }
    }

    /// Whether a member of this name is the field.
    pub(super) fn has_name(&self, name: &str) -> bool {
        name == self.name || name == self.alias
    }

    /// Whether it is left out of the key, so that no other spelling of it may pass as an unknown field.
    pub(super) fn is_left_out(&self) -> bool {
        match self.is {
            Is::Freshness(_) | Is::Token => true,
            Is::Opened(fields) => fields.iter().any(Self::is_left_out),
            _ => false,
        }
    }

    /// Whether a request that repeats it can't be read.
    pub(super) fn is_singular(&self) -> bool {
        matches!(self.is, Is::Freshness(_) | Is::Token | Is::Opened(_) | Is::Struct)
    }
}

impl Operation {
    /// A row whose method over HTTP is POST.
    pub(super) const fn post(
        grpc: &'static str,
        path: &'static str,
        does: Does,
        request: &'static [Field],
        reply: &'static [Field],
    ) -> Self {
        Self {
            grpc,
            http: (Method::POST, path),
            does,
            request,
            reply,
            objects: &[],
        }
    }

    /// The same row, whose request names objects there.
    pub(super) const fn naming(mut self, objects: &'static [Field]) -> Self {
        self.objects = objects;
        self
    }

    /// Where its request states how fresh the answer must be.
    pub(super) fn place(&self) -> Option<Place> {
        self.request.iter().find_map(|field| match field.is {
            Is::Freshness(ways) => Some(Place::Consistency { field, ways }),
            Is::Opened(fields) => {
                let token = fields.iter().find(|field| matches!(field.is, Is::Token))?;
                Some(Place::Token { within: field, token })
            }
            _ => None,
        })
    }

    /// Whether its request can name the version of the schema.
    pub(super) fn depends_on_schema(&self) -> bool {
        let is_version = |field: &Field| matches!(field.is, Is::SchemaVersion);
        self.request.iter().any(|field| match field.is {
            Is::Opened(fields) => fields.iter().any(is_version),
            _ => false,
        })
    }

    /// The field with a bulk's questions.
    pub(super) fn items(&self) -> Option<&'static Field> {
        self.request.iter().find(|field| matches!(field.is, Is::Items(_)))
    }

    /// The field with a bulk's answers.
    pub(super) fn results(&self) -> Option<&'static Field> {
        self.reply.iter().find(|field| matches!(field.is, Is::Results(_)))
    }

    /// The field of a reply with its token, and if that is a message, the field in it.
    pub(super) fn reply_token(&self) -> Option<(&'static Field, Option<&'static Field>)> {
        self.reply.iter().find_map(|field| match field.is {
            Is::Token => Some((field, None)),
            Is::Opened(fields) => {
                let token = fields.iter().find(|field| matches!(field.is, Is::Token))?;
                Some((field, Some(token)))
            }
            _ => None,
        })
    }
}

/// Where a request states how fresh its answer must be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// A consistency, of which some have a token.
    Consistency {
        field: &'static Field,
        ways: &'static [Field],
    },
    /// A token alone. Without it the server reads at head.
    Token {
        within: &'static Field,
        token: &'static Field,
    },
}
