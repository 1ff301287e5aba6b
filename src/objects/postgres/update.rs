use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use rand::Rng;
use tokio_postgres::types::ToSql;

use crate::objects::key::ObjectKey;
use crate::objects::postgres::database::{Answer, Database};
use crate::objects::postgres::failure::Failure;
use crate::objects::postgres::held::{CENTURY, Held};
use crate::objects::record::{Record, Update};
use crate::token::Zookie;

/// How often an update waits for its turn among other writers.
const MOST_TURNS: usize = 10;

/// Updates in the order of their keys' bytes. All writers lock rows in this order, so that none waits for another in a circle.
type Sorted<'a> = BTreeMap<&'a str, &'a Update>;

/// The new rows, column by column.
#[derive(Default)]
struct Rows<'a> {
    keys: Vec<&'a str>,
    tokens: Vec<String>,
    versions: Vec<i64>,
    unsettled: Vec<Option<f64>>,
    keep: Vec<f64>,
}

impl Database {
    pub(super) async fn update(&self, updates: &[(ObjectKey, Update)]) -> Result<(), Failure> {
        let mut left: Sorted<'_> = updates.iter().map(|(key, update)| (key.as_str(), update)).collect();
        // Mostly there is no other writer. If there was one, the rows are locked, so that each writer has its turn.
        self.update_unlocked(&mut left).await?;
        for _ in 0..MOST_TURNS {
            if left.is_empty() {
                return Ok(());
            }
            match self.update_locked(&mut left).await {
                Err(failure) if !failure.may_pass() => return Err(failure),
                Ok(()) | Err(_) => {}
            }
        }
        if left.is_empty() {
            Ok(())
        } else {
            Err(Failure::OtherWriters)
        }
    }

    /// Reads, and writes those rows that have not changed since. The others are left.
    async fn update_unlocked(&self, left: &mut Sorted<'_>) -> Result<(), Failure> {
        let keys: Vec<_> = left.keys().copied().collect();
        let held = self.held(&keys).await?;
        let rows = self.plan(left, held);
        if !rows.keys.is_empty() {
            let written = self.run(&self.statements.write, &rows.parameters()).await?;
            remove(left, &written)?;
        }
        Ok(())
    }

    /// The same in one transaction, which locks the rows that it reads. Only rows that another writer adds meanwhile are left.
    async fn update_locked(&self, left: &mut Sorted<'_>) -> Result<(), Failure> {
        let keys: Vec<_> = left.keys().copied().collect();
        let mut checkout = self.checkout().await?;
        let held = self.read(&checkout.begin(&self.statements.lock, &[&keys]).await?)?;
        let mut unwritten = left.clone();
        let rows = self.plan(&mut unwritten, held);
        // Without any row it writes nothing.
        let written = checkout.commit(&self.statements.write, &rows.parameters()).await?;
        remove(&mut unwritten, &written)?;
        checkout.finish();
        *left = unwritten;
        Ok(())
    }

    /// The rows to write. An update that changes nothing is done.
    fn plan<'a>(&self, left: &mut Sorted<'a>, held: Vec<Held>) -> Rows<'a> {
        let held: HashMap<_, _> = held.into_iter().map(|held| (held.key.clone(), held)).collect();
        let mut rows = Rows::default();
        left.retain(|key, update| {
            let held = held.get(*key);
            let record = next(held, update);
            if let Some(record) = &record {
                rows.push(key, held, record, update);
            }
            record.is_some()
        });
        rows
    }
}

/// The record to write. `None`: the row says all of it already.
fn next(held: Option<&Held>, update: &Update) -> Option<Record> {
    let Some(held) = held else {
        return update.apply(&Record::default());
    };
    if held.is_whole {
        return update.apply(&held.record);
    }
    // What can't be read is dropped. Once no answer is as old as that any more, the object is settled again.
    let readable = Record {
        unsettled: Some(update.keep()),
        tokens: held.record.tokens.clone(),
    };
    Some(update.apply(&readable).unwrap_or(readable))
}

fn remove(left: &mut Sorted<'_>, written: &Answer) -> Result<(), Failure> {
    for row in &written.rows {
        left.remove(row.try_get::<_, &str>(0)?);
    }
    Ok(())
}

impl<'a> Rows<'a> {
    fn push(&mut self, key: &'a str, held: Option<&Held>, record: &Record, update: &Update) {
        let tokens: Vec<_> = record.tokens.iter().map(Zookie::as_str).collect();
        let seconds = |duration: Duration| duration.min(CENTURY).as_secs_f64();
        let version = match held {
            Some(held) => held.version.wrapping_add(1),
            None => rand::rng().random_range(0..=i64::MAX / 2),
        };
        let unsettled = match (record.unsettled, held) {
            (Some(left), Some(held)) if held.is_whole && held.record.unsettled == Some(left) => None,
            (Some(left), _) => Some(seconds(left)),
            (None, Some(held)) if held.has_mark => Some(0.0),
            (None, _) => None,
        };
        self.keys.push(key);
        self.tokens.push(tokens.join(" "));
        self.versions.push(version);
        self.unsettled.push(unsettled);
        // A row must stay as long as its mark.
        self.keep
            .push(seconds(update.keep()).max(unsettled.unwrap_or_default()));
    }

    fn parameters(&self) -> [&(dyn ToSql + Sync); 5] {
        [&self.keys, &self.tokens, &self.versions, &self.unsettled, &self.keep]
    }
}
