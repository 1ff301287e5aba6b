use crate::objects::key::ObjectKey;
use crate::objects::postgres::clock::Sample;
use crate::objects::postgres::database::Database;
use crate::objects::postgres::failure::Failure;
use crate::objects::postgres::held::Held;
use crate::objects::record::Record;

/// How many rows one page has.
const PAGE: i64 = 1000;

/// Reads all rows, page by page.
#[derive(Debug, Default)]
pub(super) struct Pages {
    after: String,
    /// The database's clock before the first page.
    pub(super) began: Option<Sample>,
    pub(super) at_end: bool,
}

impl Pages {
    pub(super) async fn next(&mut self, database: &Database) -> Result<Vec<(ObjectKey, Record)>, Failure> {
        let answer = database.run(&database.statements.page, &[&self.after, &PAGE]).await?;
        let held = database.read(&answer)?;
        self.began = self.began.or(Some(answer.sample()?));
        self.at_end = (held.len() as i64) < PAGE;
        if let Some(last) = held.last() {
            self.after.clone_from(&last.key);
        }
        Ok(records(held))
    }
}

/// Rows of other programs, whose keys are none, are left out: no look-up finds them.
pub(super) fn records(held: impl IntoIterator<Item = Held>) -> Vec<(ObjectKey, Record)> {
    let record = |held: Held| Some((ObjectKey::parse(&held.key)?, held.record));
    held.into_iter().filter_map(record).collect()
}
