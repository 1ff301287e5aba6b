use std::sync::Weak;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::objects::error::ObjectsError;
use crate::objects::postgres::clock::Reading;
use crate::objects::postgres::database::Database;
use crate::objects::postgres::failure::Failure;

/// How often the database's clock is read at least.
const CLOCK_INTERVAL: Duration = Duration::from_secs(5);

/// How often rows that have expired are removed.
const REMOVAL_INTERVAL: Duration = Duration::from_secs(60);

/// How many rows one statement removes.
const AT_ONCE: i64 = 1000;

/// Watches the clock and removes rows, for as long as the store is there.
pub(super) async fn keep(database: Weak<Database>) {
    let mut removed: Option<Instant> = None;
    loop {
        let Some(database) = database.upgrade() else {
            return;
        };
        // Without an answer the clock counts as unseen, and nothing is removed.
        if let Ok(reading) = database.in_time(database.read_clock()).await {
            let is_due = removed.is_none_or(|last| last.elapsed() >= REMOVAL_INTERVAL);
            if is_due && !reading.even_for.is_zero() {
                removed = Some(Instant::now());
                if let Err(error) = remove_expired(&database, &reading).await {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "rows that have expired can't be removed"
                    );
                }
            }
        }
        drop(database);
        sleep(CLOCK_INTERVAL).await;
    }
}

async fn remove_expired(database: &Database, reading: &Reading) -> Result<(), ObjectsError> {
    while database.in_time(database.remove(reading)).await? as i64 == AT_ONCE {}
    Ok(())
}

impl Database {
    async fn read_clock(&self) -> Result<Reading, Failure> {
        let answer = self.run("SELECT clock_timestamp() AS now", &[]).await?;
        Ok(self.note(answer.sample()?))
    }

    /// Removes some rows that had expired at this reading of the clock, and returns how many.
    async fn remove(&self, reading: &Reading) -> Result<usize, Failure> {
        let even_for = reading.even_for.as_secs_f64();
        let removed = self
            .run(&self.statements.remove, &[&reading.clock, &even_for, &AT_ONCE])
            .await?;
        Ok(removed.rows.len())
    }
}
