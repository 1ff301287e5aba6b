/// A field of a message: its number, its JSON name, and what it holds.
#[derive(Clone, Copy, Debug)]
pub struct Field(pub u32, pub &'static str, pub Holds);

/// What a field holds. A value of another type is spelled too, as what it is.
#[derive(Clone, Copy, Debug)]
pub enum Holds {
    /// A text, a flag or a whole number.
    Scalar,
    /// Fields, in the order in which JSON has them.
    Message(&'static [Field]),
    /// The names of the numbers from 0 on.
    Enum(&'static [&'static str]),
    /// `google.protobuf.Struct`.
    Struct,
    /// `google.protobuf.Timestamp`.
    Time,
    /// `google.protobuf.Any`, with a message of one field that has the name `data`.
    Any,
}

impl Holds {
    pub(super) const fn fields(self) -> &'static [Field] {
        match self {
            Self::Message(fields) => fields,
            _ => &[],
        }
    }
}

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    /// One question, whose answer is stored.
    Check,
    /// One question whose answer is a tree, and is stored.
    Expand,
    /// Several questions.
    Bulk,
    Write,
    WriteSchema,
    /// A write that is a stream.
    Import,
    /// A read whose reply is never stored.
    Read,
    ReadStream,
    /// A stream that is read only where a carrier raises its floor.
    List,
    /// A read that is always at head.
    ReadHead,
}

pub const QUESTIONS: &[Does] = &[Does::Check, Does::Expand];
pub const STORED: &[Does] = &[Does::Check, Does::Expand, Does::Bulk];
pub const WRITES: &[Does] = &[Does::Write, Does::WriteSchema, Does::Import];
pub const READS: &[Does] = &[Does::Read, Does::ReadStream, Does::List];
/// The operations whose messages state a freshness.
pub const STATING: &[Does] = &[
    Does::Check,
    Does::Expand,
    Does::Bulk,
    Does::Read,
    Does::ReadStream,
    Does::List,
];

/// One operation of a system, on all its wires.
#[derive(Debug)]
pub struct Operation {
    pub does: Does,
    pub grpc: &'static str,
    /// Its method and path.
    pub http: &'static str,
    /// The fields of the request, and of the reply.
    pub asks: &'static [Field],
    pub replies: &'static [Field],
    /// The reply's member with the token.
    pub token: Option<&'static str>,
}

/// Messages: the number and the name of each field, and what it holds if that is no scalar.
macro_rules! messages {
    ($($message:ident { $($number:literal $name:tt $($holds:ident)?),* })*) => {
        $(const $message: Holds = Holds::Message(&[$(Field($number, stringify!($name), messages!(@ $($holds)?))),*]);)*
    };
    (@) => { Holds::Scalar };
    (@ $holds:ident) => { $holds };
}

/// Operations: what each does, its gRPC path, its HTTP method and path, its messages, and the reply's token.
macro_rules! operations {
    ($($does:ident $grpc:literal $http:literal $asks:ident $replies:ident $($token:ident)?;)*) => {
        static OPERATIONS: &[Operation] = &[$(Operation {
            does: Does::$does,
            grpc: $grpc,
            http: $http,
            asks: $asks.fields(),
            replies: $replies.fields(),
            token: operations!(@ $($token)?),
        }),*];
    };
    (@) => { None };
    (@ $token:ident) => { Some(stringify!($token)) };
}

/// A member's name without the number that tells it from another of the same name.
pub(super) fn name(member: &str) -> &str {
    member.split('#').next().unwrap_or(member)
}

/// The place of a member among these fields.
pub(super) fn place(fields: &[Field], member: &str) -> Option<usize> {
    fields.iter().position(|field| field.1 == name(member))
}
