use std::error::Error as _;
use std::io;
use std::time::Duration;

use deadpool_postgres::PoolError;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::objects::error::ObjectsError;

/// Why a statement had no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// There was no connection to send it on.
    NoConnection(PoolError),
    /// The statement failed, or its connection was lost.
    Statement(Error),
    /// A row is not as the table's rows are.
    Row(Error),
    /// A statement that always returns a row has returned none.
    NoRow,
    /// An object's tokens can't be read.
    Tokens,
    /// Other writers changed the same rows again and again.
    OtherWriters,
    /// It took longer than the timeout.
    Late(Duration),
}

impl Failure {
    /// Whether the same may succeed when it is done again.
    pub(super) fn may_pass(&self) -> bool {
        let Self::Statement(error) = self else {
            return false;
        };
        match error.code() {
            Some(code) => [
                SqlState::T_R_SERIALIZATION_FAILURE,
                SqlState::T_R_DEADLOCK_DETECTED,
                SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN,
                // An administrator ended the connection, or the server stops.
                SqlState::ADMIN_SHUTDOWN,
                SqlState::CRASH_SHUTDOWN,
                // The table was changed, and the statement prepared before.
                SqlState::FEATURE_NOT_SUPPORTED,
            ]
            .contains(code),
            // It is not the database that refused: the connection was lost.
            None => error.is_closed() || error.source().is_some_and(|source| source.is::<io::Error>()),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Statement(error)
    }
}

impl From<PoolError> for Failure {
    fn from(error: PoolError) -> Self {
        Self::NoConnection(error)
    }
}

impl From<Failure> for ObjectsError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NoConnection(PoolError::Backend(error)) => connecting(error),
            Failure::NoConnection(error) => ObjectsError::new(
                "PostgreSQL: no connection is free; check the server, max_connections and connect_timeout",
            )
            .with_source(error),
            Failure::Statement(error) => ObjectsError::new("PostgreSQL: a statement failed").with_source(error),
            Failure::Row(error) => ObjectsError::new("PostgreSQL: a row of the table can't be read").with_source(error),
            Failure::NoRow => ObjectsError::new("PostgreSQL: an answer lacks the database's clock"),
            Failure::Tokens => ObjectsError::new(
                "PostgreSQL: a row has tokens that are none; another program writes to the table, or someone edited it",
            ),
            Failure::OtherWriters => {
                ObjectsError::new("PostgreSQL: other writers change the same objects all the time")
            }
            Failure::Late(timeout) => {
                ObjectsError::new(format!("PostgreSQL has not answered within the timeout of {timeout:?}"))
            }
        }
    }
}

pub(super) fn connecting(error: Error) -> ObjectsError {
    ObjectsError::new("PostgreSQL: can't connect; check the server, the url, and ca_file if the server has TLS")
        .with_source(error)
}
