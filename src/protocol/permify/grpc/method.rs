use crate::protocol::grpc::{Method, Methods};
use crate::protocol::permify::form::FIRST_REST;

/// What a method does, and the field numbers in which methods of one kind differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Does {
    /// A read whose answers the cache stores.
    ReadAt {
        answer: Answer,
        /// The request's field with its context.
        context: u32,
    },
    /// A write. Its reply has a token, unless it changes the schema.
    Write { schema: bool },
    /// A read whose reply is never stored.
    Read {
        stream: bool,
        /// The field of the request's metadata with its token.
        token: u32,
        /// The request's field with its cursor.
        cursor: Option<u32>,
    },
}

/// The kind of answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Verdict,
    /// A verdict for each item of a bulk.
    Verdicts,
    Tree,
}

/// The field of a permission request's metadata with its token.
pub(super) const SNAP_TOKEN: u32 = 2;

const fn ask(path: &'static str, answer: Answer, context: u32) -> Method<Does> {
    let does = Does::ReadAt { answer, context };
    Method { path, does }
}

const fn write(path: &'static str) -> Method<Does> {
    let does = Does::Write { schema: false };
    Method { path, does }
}

const fn write_schema(path: &'static str) -> Method<Does> {
    let does = Does::Write { schema: true };
    Method { path, does }
}

const fn lookup(path: &'static str, stream: bool, cursor: Option<u32>) -> Method<Does> {
    let token = SNAP_TOKEN;
    let does = Does::Read { stream, token, cursor };
    Method { path, does }
}

const fn list(path: &'static str) -> Method<Does> {
    let (stream, token, cursor) = (false, 1, Some(5));
    let does = Does::Read { stream, token, cursor };
    Method { path, does }
}

/// The other methods pass: they watch, or concern only schemas, bundles and tenants.
pub(super) static METHODS: Methods<Does> = Methods(&[
    ask("/base.v1.Permission/Check", Answer::Verdict, 6),
    ask("/base.v1.Permission/BulkCheck", Answer::Verdicts, 4),
    ask("/base.v1.Permission/Expand", Answer::Tree, 5),
    lookup("/base.v1.Permission/LookupEntity", false, Some(9)),
    lookup("/base.v1.Permission/LookupEntityStream", true, Some(9)),
    lookup("/base.v1.Permission/LookupSubject", false, Some(9)),
    lookup("/base.v1.Permission/SubjectPermission", false, None),
    list("/base.v1.Data/ReadRelationships"),
    list("/base.v1.Data/ReadAttributes"),
    write("/base.v1.Data/Write"),
    write("/base.v1.Data/WriteRelationships"),
    write("/base.v1.Data/Delete"),
    write("/base.v1.Data/DeleteRelationships"),
    write("/base.v1.Data/RunBundle"),
    write_schema("/base.v1.Schema/Write"),
    write_schema("/base.v1.Schema/PartialWrite"),
    // This deletes all data that the tenant's answers depend on.
    write_schema("/base.v1.Tenancy/Delete"),
]);

const _: () = assert!(METHODS.0.len() <= FIRST_REST);
