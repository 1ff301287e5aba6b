use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use deadpool_postgres::{Object, Pool, PoolError};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};

use crate::objects::error::ObjectsError;
use crate::objects::postgres::clock::{ClockWatch, Reading, Sample};
use crate::objects::postgres::failure::Failure;
use crate::objects::postgres::held::Held;
use crate::objects::postgres::link::Link;
use crate::objects::postgres::statements::Statements;

/// How often a statement is sent before its failure is reported.
pub(super) const MOST_ATTEMPTS: usize = 3;

pub(super) type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

/// The pool, the statements, and what is known about the database's clock.
pub(super) struct Database {
    pub(super) pool: Pool,
    pub(super) link: Link,
    pub(super) statements: Statements,
    /// The longest time that a look-up or an update may take, waits included.
    pub(super) timeout: Duration,
    /// The longest time that it may take to open a connection.
    pub(super) connect_timeout: Duration,
    pub(super) watch: Mutex<ClockWatch>,
}

/// A connection of the pool.
pub(super) struct Checkout {
    object: Option<Object>,
    state: State,
    timeout: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Its last statement was answered.
    Idle,
    /// A statement is under way.
    Busy,
    /// A statement has failed.
    Failed,
}

/// The rows that a statement has returned, and when.
pub(super) struct Answer {
    pub(super) rows: Vec<Row>,
    sent: Instant,
    received: Instant,
}

impl Database {
    /// Awaits `work`, but not for too long.
    pub(super) async fn in_time<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, ObjectsError> {
        let outcome = timeout(self.timeout, work).await;
        Ok(outcome.unwrap_or(Err(Failure::Late(self.timeout)))?)
    }

    /// Runs a statement that may be repeated. Where a connection was lost or writers were in each other's way, it is repeated.
    pub(super) async fn run(&self, sql: &str, parameters: Parameters<'_>) -> Result<Answer, Failure> {
        let mut attempt = 1;
        loop {
            match self.run_once(sql, parameters).await {
                Err(failure) if failure.may_pass() && attempt < MOST_ATTEMPTS => attempt += 1,
                outcome => return outcome,
            }
        }
    }

    async fn run_once(&self, sql: &str, parameters: Parameters<'_>) -> Result<Answer, Failure> {
        let mut checkout = self.checkout().await?;
        let answer = checkout.run(sql, parameters).await?;
        checkout.finish();
        Ok(answer)
    }

    pub(super) async fn checkout(&self) -> Result<Checkout, Failure> {
        let object = if self.pool.status().available > 0 {
            self.pool.get().await?
        } else {
            // A caller that leaves must not stop the connection from being opened: the next caller needs it.
            let pool = self.pool.clone();
            let opened = tokio::spawn(async move { pool.get().await }).await;
            opened.unwrap_or(Err(PoolError::Closed))?
        };
        Ok(Checkout {
            object: Some(object),
            state: State::Busy,
            timeout: self.timeout,
        })
    }

    /// Reads the rows of an answer which says the clock in each.
    pub(super) fn read(&self, answer: &Answer) -> Result<Vec<Held>, Failure> {
        if answer.rows.is_empty() {
            return Ok(Vec::new());
        }
        let reading = self.note(answer.sample()?);
        let held = answer.rows.iter().map(|row| Held::read(row, &reading));
        held.filter_map(Result::transpose)
            .collect::<Result<_, _>>()
            .map_err(Failure::Row)
    }

    /// Compares the database's clock with this process's own.
    pub(super) fn note(&self, sample: Sample) -> Reading {
        let reading = self.watch.lock().unwrap_or_else(PoisonError::into_inner).read(sample);
        if let Some(seconds) = reading.jumped {
            tracing::warn!(
                seconds,
                "the clock of PostgreSQL has jumped: rows and marks of unknown outcomes stay longer than they need to"
            );
        }
        reading
    }
}

impl Answer {
    /// The clock that the answer has told.
    pub(super) fn sample(&self) -> Result<Sample, Failure> {
        let row = self.rows.first().ok_or(Failure::NoRow)?;
        Ok(Sample {
            sent: self.sent,
            received: self.received,
            clock: row.try_get(CLOCK)?,
        })
    }
}

/// The clock's column.
const CLOCK: &str = "now";

impl Checkout {
    pub(super) async fn run(&mut self, sql: &str, parameters: Parameters<'_>) -> Result<Answer, Failure> {
        let outcome = self.query(sql, parameters).await;
        self.fail_with(outcome)
    }

    async fn query(&self, sql: &str, parameters: Parameters<'_>) -> Result<Answer, Error> {
        let statement = self.client().prepare_cached(sql).await?;
        let sent = Instant::now();
        let rows = self.client().query(&statement, parameters).await?;
        let received = Instant::now();
        Ok(Answer { rows, sent, received })
    }

    /// Begins a transaction with a statement, in one round trip.
    pub(super) async fn begin(&mut self, sql: &str, parameters: Parameters<'_>) -> Result<Answer, Failure> {
        let begin = self.client().batch_execute("BEGIN");
        let (begun, answer) = tokio::join!(biased; begin, self.query(sql, parameters));
        self.fail_with(begun.and(answer))
    }

    /// Ends the transaction with a statement, in one round trip. If the statement fails, nothing is committed.
    pub(super) async fn commit(&mut self, sql: &str, parameters: Parameters<'_>) -> Result<Answer, Failure> {
        let prepared = self.client().prepare_cached(sql).await;
        self.fail_with(prepared)?;
        let commit = self.client().batch_execute("COMMIT");
        let (answer, committed) = tokio::join!(biased; self.query(sql, parameters), commit);
        self.fail_with(committed.and(answer))
    }

    fn fail_with<T>(&mut self, outcome: Result<T, Error>) -> Result<T, Failure> {
        if outcome.is_err() {
            self.state = State::Failed;
        }
        Ok(outcome?)
    }

    /// Returns the connection to the pool.
    pub(super) fn finish(mut self) {
        self.state = State::Idle;
    }

    fn client(&self) -> &Object {
        self.object.as_ref().expect("it is taken in drop only")
    }
}

impl Drop for Checkout {
    fn drop(&mut self) {
        let Some(object) = self.object.take() else {
            return;
        };
        match self.state {
            // It returns to the pool.
            State::Idle => drop(object),
            State::Failed => drop(Object::take(object)),
            State::Busy => clean_up(object, self.timeout),
        }
    }
}

/// Its caller has not waited for the answer. A new connection instead would burden a database that is slow already.
fn clean_up(object: Object, limit: Duration) {
    let Ok(runtime) = Handle::try_current() else {
        return drop(Object::take(object));
    };
    runtime.spawn(async move {
        // Answers come in order: after this one, no statement is under way.
        match timeout(limit, object.batch_execute("ROLLBACK")).await {
            Ok(Ok(())) => drop(object),
            Ok(Err(_)) | Err(_) => drop(Object::take(object)),
        }
    });
}
