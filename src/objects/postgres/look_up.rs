use std::collections::HashMap;

use tokio_postgres::types::ToSql;

use crate::objects::key::ObjectKey;
use crate::objects::postgres::database::Database;
use crate::objects::postgres::failure::Failure;
use crate::objects::postgres::held::Held;
use crate::objects::record::Record;

impl Database {
    pub(super) async fn look_up(&self, keys: &[ObjectKey]) -> Result<Vec<Record>, Failure> {
        let texts: Vec<_> = keys.iter().map(ObjectKey::as_str).collect();
        let mut found = HashMap::new();
        for held in self.held(&texts).await? {
            if !held.is_whole {
                return Err(Failure::Tokens);
            }
            found.insert(held.key, held.record);
        }
        Ok(texts.iter().map(|key| found.remove(*key).unwrap_or_default()).collect())
    }

    /// The rows of these keys, in any order.
    pub(super) async fn held(&self, keys: &[impl ToSql + Sync]) -> Result<Vec<Held>, Failure> {
        self.read(&self.run(&self.statements.look_up, &[&keys]).await?)
    }
}
