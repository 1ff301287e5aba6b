use std::collections::HashMap;

use tokio_postgres::{Client, Error};

use crate::objects::error::ObjectsError;
use crate::objects::postgres::failure::Failure;

/// The statement that makes the table.
pub(super) const SCHEMA: &str = include_str!("schema.sql");

const DEFAULT_NAME: &str = "zookie_objects";

const COLUMNS: [(&str, &str); 7] = [
    ("key", "text"),
    ("tokens", "text[]"),
    ("version", "bigint"),
    ("unsettled_at", "timestamp with time zone"),
    ("unsettled_until", "timestamp with time zone"),
    ("updated_at", "timestamp with time zone"),
    ("expires_at", "timestamp with time zone"),
];

/// A table's name as a setting, quoted: `"zookie_objects"` or `"schema"."zookie_objects"`.
#[derive(Clone, Debug)]
pub(super) struct TableName(String);

impl TableName {
    /// `None` unless the name consists of letters, digits and underscores, with at most one dot.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let is_name = |part: &str| {
            let mut bytes = part.bytes();
            let begins = bytes
                .next()
                .is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
            begins && part.len() <= 63 && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        let parts: Vec<_> = text.split('.').collect();
        let is_valid = parts.len() <= 2 && parts.iter().all(|part| is_name(part));
        is_valid.then(|| Self(parts.iter().map(|part| quoted(part)).collect::<Vec<_>>().join(".")))
    }
}

impl Default for TableName {
    fn default() -> Self {
        Self(quoted(DEFAULT_NAME))
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The table, after it was found to have all that it needs.
#[derive(Debug)]
pub(super) struct Table {
    /// Its name with its schema, quoted.
    pub(super) name: String,
    /// CockroachDB has no LISTEN and NOTIFY.
    pub(super) is_cockroach: bool,
}

impl Table {
    /// Finds the table, or makes it where `create` says so.
    pub(super) async fn find(client: &Client, name: &TableName, create: bool) -> Result<Self, ObjectsError> {
        if create && oid(client, name).await?.is_none() {
            make(client, name).await?;
        }
        let Some(oid) = oid(client, name).await? else {
            return Err(ObjectsError::new(format!(
                "table: the database has no table {}; run the migration PostgresObjects::SCHEMA, or set create_table",
                name.0
            )));
        };
        let sql = "SELECT n.nspname::text, c.relname::text, c.relkind::text, c.relpersistence::text, version() \
                   FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1";
        let row = client.query_one(sql, &[&oid]).await.map_err(Failure::from)?;
        let get = |column: usize| row.try_get::<_, String>(column).map_err(Failure::from);
        let (schema, table, kind, persistence, version) = (get(0)?, get(1)?, get(2)?, get(3)?, get(4)?);
        if !["r", "p"].contains(&&*kind) || persistence != "p" {
            return Err(ObjectsError::new(format!(
                "table: {} is a view, or an unlogged or temporary table, which loses tokens in a crash; name a normal table",
                name.0
            )));
        }
        check_columns(client, oid, name).await?;
        let is_cockroach = version.contains("CockroachDB");
        if !is_cockroach {
            check_key(client, oid, name).await?;
        }
        Ok(Self {
            name: format!("{}.{}", quoted(&schema), quoted(&table)),
            is_cockroach,
        })
    }
}

async fn oid(client: &Client, name: &TableName) -> Result<Option<u32>, ObjectsError> {
    let row = client.query_one("SELECT to_regclass($1::text)::oid", &[&name.0]).await;
    let oid = row.and_then(|row| row.try_get(0)).map_err(Failure::from)?;
    Ok(oid)
}

async fn make(client: &Client, name: &TableName) -> Result<(), ObjectsError> {
    let Err(error) = client.batch_execute(&SCHEMA.replace(DEFAULT_NAME, &name.0)).await else {
        return Ok(());
    };
    // Another replica may have made it at the same time.
    if oid(client, name).await?.is_some() {
        return Ok(());
    }
    Err(ObjectsError::new(format!(
        "create_table: the table {} can't be made; run the migration PostgresObjects::SCHEMA as a role that may",
        name.0
    ))
    .with_source(error))
}

async fn check_columns(client: &Client, oid: u32, name: &TableName) -> Result<(), ObjectsError> {
    let sql = "SELECT a.attname::text, format_type(a.atttypid, a.atttypmod)::text FROM pg_attribute a \
               WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped";
    let mut types = HashMap::new();
    for row in client.query(sql, &[&oid]).await.map_err(Failure::from)? {
        let column = || Ok::<(String, String), Error>((row.try_get(0)?, row.try_get(1)?));
        types.extend([column().map_err(Failure::from)?]);
    }
    for (column, needed) in COLUMNS {
        match types.get(column) {
            Some(found) if found == needed => {}
            Some(found) => {
                return Err(unfit(
                    name,
                    &format!("has a column {column} of type {found} instead of {needed}"),
                ));
            }
            None => return Err(unfit(name, &format!("has no column {column} ({needed})"))),
        }
    }
    Ok(())
}

async fn check_key(client: &Client, oid: u32, name: &TableName) -> Result<(), ObjectsError> {
    let sql = "SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attname = 'key' \
               WHERE i.indrelid = $1 AND i.indisunique AND i.indpred IS NULL AND i.indkey::text = a.attnum::text";
    let found = client.query(sql, &[&oid]).await.map_err(Failure::from)?;
    if found.is_empty() {
        return Err(unfit(name, "has no primary key on the column key alone"));
    }
    Ok(())
}

fn unfit(name: &TableName, problem: &str) -> ObjectsError {
    let name = &name.0;
    ObjectsError::new(format!(
        "table: {name} {problem}; compare it with the migration PostgresObjects::SCHEMA"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_can_hold_no_sql() {
        let quoted = |text| TableName::parse(text).map(|name| name.0);
        assert_eq!(quoted("zookie_objects"), Some("\"zookie_objects\"".to_owned()));
        assert_eq!(quoted("Auth.t1"), Some("\"Auth\".\"t1\"".to_owned()));
        for bad in [
            "",
            ".",
            "a.",
            ".a",
            "a.b.c",
            "1a",
            "a b",
            "a;b",
            "a\"b",
            "a'",
            "ä",
            "a-b",
            "a\0",
            &"a".repeat(64),
        ] {
            assert_eq!(quoted(bad), None, "{bad:?}");
        }
        assert!(SCHEMA.contains(&format!(" {DEFAULT_NAME} (")));
    }
}
