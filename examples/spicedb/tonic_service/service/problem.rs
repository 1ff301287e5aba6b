//! Errors as gRPC statuses, with the codes that SpiceDB uses.

use std::fmt::Display;

use spicedb_examples::v1::ItemError;
use tonic::{Code, Status};
use tower_zookie::store::{
    CheckError, ParseError, QueryError, RevisionError, SchemaError, UnknownName, WriteError, WriteSchemaError,
};
use tower_zookie::token::TokenError;

#[derive(Debug)]
pub(super) struct Problem {
    code: Code,
    message: String,
}

impl Problem {
    fn new(code: Code, message: &dyn Display) -> Self {
        let message = message.to_string();
        Self { code, message }
    }

    pub(super) fn invalid(message: &dyn Display) -> Self {
        Self::new(Code::InvalidArgument, message)
    }

    pub(super) fn internal(message: &dyn Display) -> Self {
        Self::new(Code::Internal, message)
    }

    pub(super) fn failed_precondition(message: &dyn Display) -> Self {
        Self::new(Code::FailedPrecondition, message)
    }

    pub(super) fn missing(field: &str) -> Self {
        Self::invalid(&format_args!("`{field}` is missing; set it"))
    }

    pub(super) fn unsupported(what: &str) -> Self {
        Self::new(
            Code::Unimplemented,
            &format_args!("this service has no {what}; leave it out"),
        )
    }
}

impl From<Problem> for Status {
    fn from(problem: Problem) -> Self {
        Self::new(problem.code, problem.message)
    }
}

/// The problem of one item of several.
impl From<Problem> for ItemError {
    fn from(problem: Problem) -> Self {
        Self {
            code: problem.code.into(),
            message: problem.message,
            details: Vec::new(),
        }
    }
}

impl From<ParseError> for Problem {
    fn from(error: ParseError) -> Self {
        Self::invalid(&error)
    }
}

impl From<TokenError> for Problem {
    fn from(error: TokenError) -> Self {
        Self::invalid(&error)
    }
}

impl From<SchemaError> for Problem {
    fn from(error: SchemaError) -> Self {
        Self::invalid(&error)
    }
}

impl From<UnknownName> for Problem {
    fn from(error: UnknownName) -> Self {
        Self::failed_precondition(&error)
    }
}

impl From<RevisionError> for Problem {
    fn from(error: RevisionError) -> Self {
        Self::new(Code::OutOfRange, &error)
    }
}

impl From<CheckError> for Problem {
    fn from(error: CheckError) -> Self {
        match error {
            CheckError::UnknownName(error) => error.into(),
            CheckError::Revision(error) => error.into(),
            CheckError::Wildcard { .. } => Self::invalid(&error),
            CheckError::TooComplex { .. } => Self::new(Code::ResourceExhausted, &error),
            _ => Self::failed_precondition(&error),
        }
    }
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::UnknownName(error) => error.into(),
            QueryError::Revision(error) => error.into(),
            _ => Self::internal(&error),
        }
    }
}

impl From<WriteError> for Problem {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::UnknownName(error) => error.into(),
            WriteError::AlreadyExists { .. } => Self::new(Code::AlreadyExists, &error),
            WriteError::PreconditionFailed { .. } => Self::failed_precondition(&error),
            _ => Self::invalid(&error),
        }
    }
}

impl From<WriteSchemaError> for Problem {
    fn from(error: WriteSchemaError) -> Self {
        Self::invalid(&error)
    }
}
